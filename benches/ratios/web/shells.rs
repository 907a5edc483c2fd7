//! Terminals for programs: how soon a key is echoed, and what many of them cost.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::Outcome;
use crate::daemon::{cpu_seconds, resident_mib};
use crate::enter::ssh;
use crate::lab::Lab;
use crate::measure::Samples;
use crate::table::{Bound, Line, Unit};

use super::client::Terminal;
use super::served::Served;

const BATCHES: usize = 5;
const KEYS: usize = 100;
/// A user's next key comes later than this.
const PAUSE: Duration = Duration::from_millis(25);
/// Terminals that do nothing, of which the memory of one is found out.
const IDLE: usize = 20;
/// Terminals that all print at once, and for how long.
const PRINTING: usize = 200;
const LONG: Duration = Duration::from_secs(20);
/// So long a program that runs in each has to get going.
const WARM: Duration = Duration::from_secs(20);

fn runtime() -> Outcome<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?)
}

/// The slowest but one in a hundred.
fn p99(mut times: Vec<Duration>) -> Outcome<f64> {
    times.sort();
    let at = times.len() * 99 / 100;
    let slowest = times.get(at).ok_or("no key was pressed")?;
    Ok(slowest.as_secs_f64() * 1e3)
}

/// A key there and its echo back, beside OpenSSH to the same port of the same guest.
pub(crate) fn echo(lab: &Lab) -> Outcome<Vec<Line>> {
    let machine = lab.idle_machine()?;
    let served = Served::start(lab, &lab.data())?;
    let (ours, plain) = runtime()?.block_on(async {
        let mut terminal = Terminal::open(&served, machine).await?;
        terminal.until("#").await?;
        terminal.send("exec cat > /dev/null\r").await?;
        terminal.until("null").await?;
        let mut command = tokio::process::Command::from(ssh(lab, "cat > /dev/null", &["-tt"])?);
        let mut child = command
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let (mut to, mut from) = (
            child.stdin.take().ok_or("no input")?,
            child.stdout.take().ok_or("no output")?,
        );
        // Its terminal echoes once it is there.
        to.write_all(b"x").await?;
        from.read_u8().await?;
        let (mut ours, mut plain) = (Vec::new(), Vec::new());
        for _ in 0..BATCHES {
            let (mut a, mut b) = (Vec::new(), Vec::new());
            for _ in 0..KEYS {
                tokio::time::sleep(PAUSE).await;
                let began = Instant::now();
                terminal.send("x").await?;
                terminal.next().await?;
                a.push(began.elapsed());
                tokio::time::sleep(PAUSE).await;
                let began = Instant::now();
                to.write_all(b"x").await?;
                from.read_u8().await?;
                b.push(began.elapsed());
            }
            // A line must not become too long for the guest's terminal.
            terminal.send("\r").await?;
            terminal.until("\n").await?;
            to.write_all(b"\r").await?;
            while from.read_u8().await? != b'\n' {}
            ours.push(p99(a)?);
            plain.push(p99(b)?);
        }
        Ok::<_, Box<dyn std::error::Error>>((ours, plain))
    })?;
    Ok(vec![Line {
        name: "browser terminal: key to echo, p99".into(),
        unit: Unit::Milliseconds,
        ours: Samples::new(ours)?,
        plain: Some(("ssh".into(), Samples::new(plain)?)),
        bound: Bound::TimesPlus(1.0, 5.0),
    }])
}

/// What the daemon keeps for each terminal, and whether two hundred that print all get their share.
pub(crate) fn many(lab: &Lab) -> Outcome<Vec<Line>> {
    let machine = lab.idle_machine()?;
    let served = Served::start(lab, &lab.data())?;
    let line = |name: String, unit, value: f64, most| -> Outcome<Line> {
        Ok(Line {
            name,
            unit,
            ours: Samples::new(vec![value])?,
            plain: None,
            bound: Bound::AtMost(most),
        })
    };
    runtime()?.block_on(async {
        let mut kept = vec![opened(&served, machine).await?];
        let before = resident_mib(served.pid)?;
        for _ in 0..IDLE {
            kept.push(opened(&served, machine).await?);
        }
        let each = (resident_mib(served.pid)? - before) / IDLE as f64;
        drop(kept);
        let shares = Shares::start(&served, machine).await?;
        tokio::time::sleep(WARM).await;
        let (counts, cpu, began) = (shares.counts(), cpu_seconds(served.pid)?, Instant::now());
        tokio::time::sleep(LONG).await;
        let spent = cpu_seconds(served.pid)? - cpu;
        let busy = 100.0 * spent / began.elapsed().as_secs_f64();
        let mut got: Vec<u64> = shares
            .counts()
            .iter()
            .zip(&counts)
            .map(|(after, before)| after - before)
            .collect();
        got.sort_unstable();
        let (least, middle) = (got[0], got[got.len() / 2]);
        if least == 0 {
            return Err("a terminal got nothing".into());
        }
        let all = got.iter().sum::<u64>() as f64 / LONG.as_secs_f64() / f64::from(1 << 20);
        Ok(vec![
            line(
                "browser terminals: daemon's memory for each that is idle".into(),
                Unit::Mebibytes,
                each,
                1.0,
            )?,
            line(
                format!("{PRINTING} terminals printing {all:.1} MiB/s: median over least share"),
                Unit::Count,
                middle as f64 / least as f64,
                10.0,
            )?,
            line(
                format!("{PRINTING} terminals printing: the daemon's processor"),
                Unit::Percent,
                busy,
                100.0,
            )?,
        ])
    })
}

/// A terminal whose shell is there.
async fn opened(served: &Served<'_>, machine: &str) -> Outcome<Terminal> {
    let mut terminal = Terminal::open(served, machine).await?;
    terminal.until("#").await?;
    Ok(terminal)
}

/// Terminals that print, and how much each has got.
struct Shares {
    counts: Vec<Arc<AtomicU64>>,
    /// Who reads would take its end for a beginning.
    _begun: watch::Sender<()>,
    /// Ends with this.
    _reading: JoinSet<()>,
}

impl Shares {
    async fn start(served: &Served<'_>, machine: &str) -> Outcome<Shares> {
        let (begin, begun) = watch::channel(());
        let (mut counts, mut reading) = (Vec::new(), JoinSet::new());
        for _ in 0..PRINTING {
            let mut terminal = opened(served, machine).await?;
            let (count, mut begun) = (Arc::new(AtomicU64::new(0)), begun.clone());
            counts.push(count.clone());
            // It is read all the time, so that the server's pings are answered. One that is closed gets nothing more,
            // which is found out in the end.
            reading.spawn(async move {
                loop {
                    tokio::select! {
                        Ok(()) = begun.changed() => {
                            let line = "exec yes a line that is printed all the time\r";
                            if terminal.send(line).await.is_err() {
                                return;
                            }
                        }
                        data = async { terminal.next().await.ok() } => match data {
                            Some(data) => { count.fetch_add(data.len() as u64, Ordering::Relaxed); }
                            None => return,
                        },
                    }
                }
            });
        }
        // Once all are there: a guest whose processor is emulated opens few shells while others print.
        begin.send(())?;
        Ok(Shares {
            counts,
            _begun: begin,
            _reading: reading,
        })
    }

    fn counts(&self) -> Vec<u64> {
        let counts = self.counts.iter();
        counts.map(|count| count.load(Ordering::Relaxed)).collect()
    }
}
