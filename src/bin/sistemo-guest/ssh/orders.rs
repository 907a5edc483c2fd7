//! The host's orders ([`words::ORDERS_PORT`]): what it has a guest do that is not to wait for an SSH login.
//!
//! ```text
//!   gateway connects ─▶ challenge ─▶ signed order ─┬─ no key that may log in ─▶ refused
//!                                                  └─ obeyed ─▶ answered ─▶ host hangs up ─▶ what changes with that
//! ```
//!
//! A challenge is another each time, also in two machines that go on from the same memory: what one was told means nothing
//! to the other. Neither does what was signed for another address.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};
use russh::keys::ssh_key::SshSig;
use sistemo::guest::words::{self, Answer, Order, READY_LINE, Renewal, SignedOrder};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, Semaphore};

use super::shared::{Facts, Shared};
use crate::{clock, console, network, renew, seed};

/// How many connections there may be at once. The host has one.
const PLACES: usize = 8;
/// How long the host may take to say what it wants, and to hang up when it is answered.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of randomness in a challenge.
const CHALLENGE: usize = 32;

/// Takes orders for as long as the server lives.
pub(super) async fn take(listener: &TcpListener, shared: &Arc<Shared>) {
    let places = Arc::new(Semaphore::new(PLACES));
    // One after the other.
    let turn = Arc::new(Mutex::new(()));
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let place = Arc::clone(&places).try_acquire_owned();
                let Ok(place) = place.map_err(drop).and_then(|place| {
                    let heard = is_heard(shared, peer);
                    heard.then_some(place).ok_or(())
                }) else {
                    continue;
                };
                let (shared, turn) = (Arc::clone(shared), Arc::clone(&turn));
                tokio::spawn(async move {
                    // Whoever breaks off or vanishes asks again.
                    let _ = attend(stream, &shared, &turn).await;
                    drop(place);
                });
            }
            // Out of descriptors or memory, or a client that left already.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

/// Whether this is where the host speaks from.
fn is_heard(shared: &Shared, peer: SocketAddr) -> bool {
    let facts = shared.facts();
    let gateway = facts
        .network
        .as_ref()
        .map(|network| IpAddr::V4(network.gateway));
    gateway == Some(peer.ip().to_canonical())
}

async fn attend(stream: TcpStream, shared: &Shared, turn: &Mutex<()>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    let facts = shared.facts();
    let heard = tokio::time::timeout(PATIENCE, hear(&mut stream, &facts));
    let (told, order) = heard.await.map_err(|_| io::ErrorKind::TimedOut)??;
    let _turn = turn.lock().await;
    match order {
        Ok(Order::SetClock { time_ns }) => {
            let answer = match clock::set(time_ns, told) {
                Ok(()) => Answer::Done { notes: Vec::new() },
                Err(error) => refused(&error),
            };
            say(&mut stream, &answer).await
        }
        Ok(Order::Renew(renewal)) => match Facts::new(&renewal.config) {
            Ok(facts) => {
                become_another(stream, shared, &renewal, told, facts).await;
                Ok(())
            }
            Err(error) => say(&mut stream, &refused(&error)).await,
        },
        Err(why) => say(&mut stream, &Answer::Refused { why }).await,
    }
}

/// An order, or why what was said is none, and when it was said: under emulation a signature takes its time.
async fn hear(
    stream: &mut BufReader<TcpStream>,
    facts: &Facts,
) -> io::Result<(Instant, Result<Order, String>)> {
    let challenge = challenge()?;
    stream
        .write_all(format!("{challenge}\n").as_bytes())
        .await?;
    let mut said = String::new();
    let most = words::LONGEST_ORDER as u64;
    stream.take(most).read_line(&mut said).await?;
    Ok((Instant::now(), order(&challenge, &said, facts)))
}

/// A line that nobody has been given yet: randomness, and, since two machines may go on from one state of the kernel's
/// generator, how long the machine has been up, which goes on by the nanosecond.
fn challenge() -> io::Result<String> {
    let random = seed::draw::<CHALLENGE>()?;
    let up = clock_gettime(ClockId::CLOCK_BOOTTIME)?;
    Ok(format!(
        "{}{} {}-{}.{:09}",
        words::CHALLENGE_BEGINS,
        words::ORDERS_VERSION,
        seed::encode(&random),
        up.tv_sec(),
        up.tv_nsec()
    ))
}

/// What is ordered, if somebody does who may.
fn order(challenge: &str, said: &str, facts: &Facts) -> Result<Order, String> {
    let SignedOrder { order, signature } = serde_json::from_slice(said.as_bytes())
        .map_err(|error| format!("that is no order: {error}"))?;
    let signature =
        SshSig::from_pem(&signature).map_err(|error| format!("that is no signature: {error}"))?;
    let address = facts.network.as_ref().map(|network| network.address);
    let address = address.unwrap_or(Ipv4Addr::UNSPECIFIED);
    let signed = words::under_signature(address, challenge, &order);
    let may = |key: &russh::keys::PublicKey| {
        key.verify(words::ORDERS_NAMESPACE, &signed, &signature)
            .is_ok()
    };
    if !facts.keys.iter().any(may) {
        return Err("the order is not signed by a key that may log in".into());
    }
    serde_json::from_slice(order.as_bytes())
        .map_err(|error| format!("that cannot be ordered: {error}"))
}

fn refused(error: &dyn std::error::Error) -> Answer {
    Answer::Refused {
        why: console::report(error),
    }
}

async fn say(stream: &mut BufReader<TcpStream>, answer: &Answer) -> io::Result<()> {
    let mut line = serde_json::to_vec(answer)?;
    line.push(b'\n');
    stream.write_all(&line).await?;
    stream.flush().await
}

/// Takes the identity; what cuts the connection off happens when it is over.
async fn become_another(
    mut stream: BufReader<TcpStream>,
    shared: &Shared,
    renewal: &Renewal,
    told: Instant,
    facts: Facts,
) {
    let was = shared.facts();
    let taken = renew::take(renewal, told, facts.host_key != was.host_key);
    let notes = taken.notes;
    if say(&mut stream, &Answer::Done { notes }).await.is_ok() {
        // A host that does not hear of it does not hang up either.
        let _ = tokio::time::timeout(PATIENCE, stream.read_u8()).await;
    }
    drop(stream);
    if let (Some(was), Some(now)) = (&was.network, &facts.network)
        && let Err(error) = network::change(was, now)
    {
        console::say(&format!("sistemo-guest: {}", console::report(&error)));
    }
    console::say(&format!(
        "sistemo-guest: {} goes on from a snapshot",
        renewal.config.hostname
    ));
    shared.renew(facts);
    console::say(READY_LINE);
    renew::afterwards(taken.lost_keys);
}
