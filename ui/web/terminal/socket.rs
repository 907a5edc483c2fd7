//! A page's WebSocket: messages from it, messages to it, and the end of it.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until, timeout};
use tokio_tungstenite::tungstenite::Error as Broken;
use tokio_util::sync::CancellationToken;

use super::frame::{FromPage, LONGEST, ToPage};
use super::session::{Attachment, Next, Over, Session};

/// How often a page is asked whether it is there.
const PING: Duration = Duration::from_secs(20);
/// A page that has said nothing for so long is gone.
const DEAD: Duration = Duration::from_secs(60);
/// How long a page may take to say that it has heard that this is the end.
const FAREWELL: Duration = Duration::from_secs(2);
/// While much is said, messages are made of at least so many bytes...
const MUCH: usize = 32 << 10;
/// ...unless that takes longer than this: as long as a picture is shown that nobody has the time to read. Every message
/// has a browser draw the screen, which costs it more than what is in the message.
const SOON: Duration = Duration::from_millis(30);
/// What makes it much: so many bytes in messages that follow each other within [`SOON`], each counted half as much as the
/// one after it. Answers to what is typed are far from it.
const FLOOD: usize = 8 << 10;

/// The code of a close frame that says that another page has the session (RFC 6455 §7.4.2: 4000 to 4999 are for
/// applications).
const TAKEN_OVER: u16 = 4000;

/// Why the connection ends.
#[derive(Debug)]
pub(super) enum End {
    /// The page has left.
    Left,
    /// It has not been heard of for long.
    Dead,
    /// Its user closed the session.
    Closed,
    /// Another page has the session now, or it is over.
    Over(Over),
    /// The daemon ends.
    Stopped,
    /// What it sent cannot be.
    Refused(u16, String),
}

impl End {
    /// What the page is told; nothing when it is gone.
    fn farewell(&self) -> Option<CloseFrame> {
        let (code, reason) = match self {
            End::Left | End::Dead => return None,
            End::Closed => (close_code::NORMAL, "closed"),
            End::Over(Over::Ended) => (close_code::NORMAL, "the session is over"),
            End::Over(Over::TakenOver) => (TAKEN_OVER, "taken over"),
            End::Stopped => (close_code::AWAY, "the daemon ends"),
            End::Refused(code, reason) => (*code, reason.as_str()),
        };
        Some(CloseFrame {
            code,
            reason: reason.into(),
        })
    }
}

/// Serves a page until it leaves or is sent off. `offset` is how much of the stream it has, `resumed` whether it has come
/// back.
pub(super) async fn serve(
    socket: WebSocket,
    session: Arc<Session>,
    offset: u64,
    resumed: bool,
    stop: &CancellationToken,
) -> End {
    let (attachment, over) = session.attach(offset);
    let (mut sink, mut stream) = socket.split();
    let (control, controls) = mpsc::channel(16);
    let hello = ToPage::Hello(session.hello(&attachment, resumed));
    let end = tokio::select! {
        end = hear(&mut stream, &session, &attachment, control) => end,
        end = tell(&mut sink, &session, &attachment, hello, controls) => end,
        over = over => End::Over(over.unwrap_or(Over::Ended)),
        () = stop.cancelled() => End::Stopped,
    };
    if matches!(end, End::Closed) {
        session.close();
    }
    if let Some(farewell) = end.farewell() {
        let part = async {
            if sink.send(Message::Close(Some(farewell))).await.is_ok() {
                // A socket that is closed with something unread in it takes back what it has sent last.
                while let Some(Ok(_)) = stream.next().await {}
            }
        };
        // A page that does not answer is left alone.
        let _ = timeout(FAREWELL, part).await;
    }
    end
}

/// Takes what the page sends.
async fn hear(
    stream: &mut SplitStream<WebSocket>,
    session: &Session,
    attachment: &Attachment,
    control: mpsc::Sender<ToPage>,
) -> End {
    loop {
        let message = match timeout(DEAD, stream.next()).await {
            Err(_) => return End::Dead,
            Ok(None) => return End::Left,
            Ok(Some(Err(error))) => return broken(error),
            Ok(Some(Ok(message))) => message,
        };
        let message = match message {
            Message::Binary(message) if message.len() > LONGEST => {
                let reason = format!("a message of more than {LONGEST} bytes");
                return End::Refused(close_code::SIZE, reason);
            }
            Message::Binary(message) => message,
            Message::Text(_) => {
                let reason = "messages are binary here".to_owned();
                return End::Refused(close_code::UNSUPPORTED, reason);
            }
            Message::Ping(_) | Message::Pong(_) => continue,
            Message::Close(_) => return End::Left,
        };
        match FromPage::decode(message) {
            Ok(FromPage::Data(bytes)) => attachment.typed(&bytes).await,
            Ok(FromPage::Resize { cols, rows }) => session.resize((cols, rows)),
            Ok(FromPage::Ack(offset)) => {
                if let Err(ahead) = attachment.acknowledge(offset) {
                    return End::Refused(close_code::POLICY, ahead.to_string());
                }
            }
            Ok(FromPage::Again) => session.again(),
            Ok(FromPage::Ping(number)) => {
                if control.send(ToPage::Pong(number)).await.is_err() {
                    return End::Left;
                }
            }
            Ok(FromPage::Close) => return End::Closed,
            Err(malformed) => return End::Refused(close_code::POLICY, malformed.to_string()),
        }
    }
}

/// What a connection that fails is told.
fn broken(error: axum::Error) -> End {
    match error.into_inner().downcast_ref::<Broken>() {
        Some(Broken::Capacity(error)) => End::Refused(close_code::SIZE, error.to_string()),
        Some(Broken::Protocol(error)) => End::Refused(close_code::PROTOCOL, error.to_string()),
        Some(Broken::Utf8(_)) => End::Refused(close_code::INVALID, "text that is none".into()),
        _ => End::Left,
    }
}

/// Sends what there is for the page.
async fn tell(
    sink: &mut SplitSink<WebSocket, Message>,
    session: &Session,
    attachment: &Attachment,
    hello: ToPage,
    mut controls: mpsc::Receiver<ToPage>,
) -> End {
    let mut pings = interval_at(Instant::now() + PING, PING);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut pace = Pace::new();
    let mut message = Some(Message::Binary(hello.encode()));
    loop {
        if let Some(message) = message.take()
            && sink.send(message).await.is_err()
        {
            return End::Left;
        }
        if let Ok(control) = controls.try_recv() {
            message = Some(Message::Binary(control.encode()));
            continue;
        }
        let patience = pace.patience(attachment.ready());
        if patience.is_none()
            && let Some(next) = attachment.next()
        {
            message = Some(Message::Binary(match next {
                Next::Data(data) => {
                    pace.sent(data.len());
                    data
                }
                Next::State(state) => ToPage::State(session.standing(state)).encode(),
            }));
            continue;
        }
        tokio::select! {
            control = controls.recv() => match control {
                Some(control) => message = Some(Message::Binary(control.encode())),
                None => return End::Left,
            },
            () = attachment.woken() => {}
            () = pause(patience) => {}
            _ = pings.tick() => message = Some(Message::Ping(Bytes::new())),
        }
    }
}

async fn pause(until: Option<Instant>) {
    match until {
        Some(until) => sleep_until(until).await,
        None => std::future::pending().await,
    }
}

/// When to send what there is: at once, unless so much has been sent just now that waiting for more is cheaper.
struct Pace {
    last: Instant,
    /// What has been sent lately, in bytes.
    lately: usize,
}

impl Pace {
    fn new() -> Pace {
        Pace {
            last: Instant::now(),
            lately: 0,
        }
    }

    fn sent(&mut self, length: usize) {
        let before = match self.last.elapsed() < 2 * SOON {
            true => self.lately / 2,
            false => 0,
        };
        *self = Pace {
            last: Instant::now(),
            lately: before + length,
        };
    }

    /// Until when to wait for more than these bytes; not at all when absent.
    fn patience(&self, ready: usize) -> Option<Instant> {
        let until = self.last + SOON;
        let waits = (1..MUCH).contains(&ready) && self.lately >= FLOOD && Instant::now() < until;
        waits.then_some(until)
    }
}
