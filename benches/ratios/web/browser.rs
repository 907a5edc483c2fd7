//! Output in a browser: a machine's text in our page, and in that of a relay that runs `ssh`.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fantoccini::{Client, ClientBuilder, Locator};
use serde_json::json;

use crate::Outcome;
use crate::lab::{Lab, run};
use crate::measure::Samples;
use crate::table::{Bound, Line, Unit};

use super::relay::Relay;
use super::served::{Served, free_port};

const ROUNDS: usize = 3;
const MEBIBYTES: usize = 200;
/// How long one of them may take. Where the guest's processor is emulated, less is sent.
const LIMIT: Duration = Duration::from_secs(20);
/// As much as tells how long that would be.
const PROBE: usize = 2;
/// How long anything may take to be shown.
const PATIENCE: Duration = Duration::from_secs(300);
/// Between two looks at the page, which cost it time.
const LOOK: Duration = Duration::from_millis(20);

/// The same text through our page and through the relay's, in one browser.
pub(crate) fn output(lab: &Lab) -> Outcome<Vec<Line>> {
    let machine = lab.idle_machine()?;
    let line = "the quick brown fox jumps over the lazy dog, and does so again and again";
    let make = format!("yes '{line}' | head -c {} > /root/text", MEBIBYTES << 20);
    run(&mut lab.sistemo(&["machine", "exec", machine, &make]))?;
    let served = Served::start(lab, &lab.data())?;
    let relay = Relay::build(
        &lab.scratch().join("relay"),
        &lab.typed(&["machine", "ssh", machine]),
    )?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let (mebibytes, ours, plain) = runtime.block_on(async {
        let port = relay.serve().await?;
        let browser = Browser::start().await?;
        let outcome = take_turns(&browser.client, &served.page(machine)?, port).await;
        browser.client.clone().close().await?;
        outcome
    })?;
    run(&mut lab.sistemo(&["machine", "exec", machine, "rm /root/text"]))?;
    Ok(vec![Line {
        name: format!("browser: {mebibytes} MiB of text in Chromium"),
        unit: Unit::Milliseconds,
        ours: Samples::times(&ours)?,
        plain: Some((
            "ttyd's protocol, ssh in a PTY".into(),
            Samples::times(&plain)?,
        )),
        bound: Bound::Times(1.0),
    }])
}

async fn take_turns(
    client: &Client,
    ours: &str,
    port: u16,
) -> Outcome<(usize, Vec<Duration>, Vec<Duration>)> {
    client.goto(ours).await?;
    let a = client.window().await?;
    let b = client.new_window(true).await?.handle;
    client.switch_to_window(b.clone()).await?;
    client.goto(&format!("http://127.0.0.1:{port}/")).await?;
    let cat = |mebibytes: usize| format!("head -c {mebibytes}M /root/text");
    // What is typed before there is a shell would be timed with its start.
    for window in [&a, &b] {
        client.switch_to_window(window.clone()).await?;
        through(client, "true", ROUNDS + 1).await?;
    }
    let probe = through(client, &cat(PROBE), ROUNDS).await?;
    let fitting = LIMIT.as_secs_f64() / probe.as_secs_f64() * PROBE as f64;
    let mebibytes = MEBIBYTES.min(fitting.max(1.0) as usize);
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let mut turns = [(&a, &mut first), (&b, &mut second)];
        if round % 2 == 1 {
            turns.reverse();
        }
        for (window, times) in turns {
            // A page that is not looked at is given little time by the browser.
            client.switch_to_window(window.clone()).await?;
            times.push(through(client, &cat(mebibytes), round).await?);
        }
    }
    Ok((mebibytes, first, second))
}

/// Types a command that says so in the page's title when it has ended, and waits for that: a canvas cannot be asked.
async fn through(client: &Client, command: &str, round: usize) -> Outcome<Duration> {
    let typed = client.find(Locator::Css(".xterm-helper-textarea")).await?;
    let say = format!(r"printf '\033]0;ended-%d-{round}\007' $((7*6))");
    let ended = format!("ended-42-{round}");
    let began = Instant::now();
    typed.send_keys(&format!("{command}; {say}\n")).await?;
    while began.elapsed() < PATIENCE {
        if client.title().await?.contains(&ended) {
            return Ok(began.elapsed());
        }
        tokio::time::sleep(LOOK).await;
    }
    Err(format!("`{command}` did not end").into())
}

/// A Chromium without a window. It ends with this.
struct Browser {
    client: Client,
    driver: Child,
    _profile: tempfile::TempDir,
}

impl Browser {
    async fn start() -> Outcome<Browser> {
        let (port, profile) = (free_port()?, tempfile::tempdir()?);
        let driver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()?;
        let options = json!({
            "goog:chromeOptions": {"args": [
                "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                "--disable-background-networking", "--disable-component-update", "--disable-sync",
                format!("--user-data-dir={}", profile.path().display()),
            ]},
        });
        let serde_json::Value::Object(options) = options else {
            return Err("no options".into());
        };
        let began = Instant::now();
        let client = loop {
            let mut builder =
                ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new());
            builder.capabilities(options.clone());
            match builder.connect(&format!("http://127.0.0.1:{port}")).await {
                Ok(client) => break client,
                Err(error) if began.elapsed() > Duration::from_secs(30) => return Err(error.into()),
                Err(_) => tokio::time::sleep(LOOK).await,
            }
        };
        Ok(Browser {
            client,
            driver,
            _profile: profile,
        })
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
