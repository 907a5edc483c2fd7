//! How a page gets a terminal: what it asks for, and the change from HTTP to a WebSocket (RFC 6455 §4).

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{Extension, FromRef, Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;

use super::Terminals;
use super::frame::{LONGEST, PROTOCOL, possible};
use super::session::{Ground, Session};
use super::socket::{self, End};
use crate::web::access::Caller;
use crate::web::{Problem, Web};

/// What is read at once from a page, in bytes. Pages write little.
const READ_AHEAD: usize = 16 << 10;
/// The longest frame that is read to its end, in bytes, so that whoever sends a message that is too long can still be
/// told.
const READABLE: usize = 2 * LONGEST;

/// A new terminal's size when a page does not say it.
const USUAL: (u16, u16) = (80, 24);

pub(crate) fn routes() -> Router<Web> {
    router()
}

/// The routes, for whatever state has the terminals.
pub(super) fn router<S>() -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    Terminals: FromRef<S>,
{
    Router::new()
        .route("/api/v1/machines/{name}/terminal", get(machine))
        .route("/api/v1/console", get(console))
}

/// What a page says of itself.
#[derive(Debug, Deserialize)]
struct Asked {
    cols: Option<u16>,
    rows: Option<u16>,
    /// To come back to a session.
    session: Option<String>,
    /// How much of its stream the page has.
    offset: Option<u64>,
}

type Asks = Result<Query<Asked>, QueryRejection>;
type Upgrade = Result<WebSocketUpgrade, WebSocketUpgradeRejection>;

/// A shell in a machine. One that does not run is waited for.
async fn machine(
    State(terminals): State<Terminals>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
    asks: Asks,
    upgrade: Upgrade,
) -> Result<Response, Problem> {
    let (asked, upgrade) = check(asks, upgrade)?;
    let ground = terminals.machine(&name).await?;
    attach(&terminals, &caller, ground, asked, upgrade)
}

/// The console.
async fn console(
    State(terminals): State<Terminals>,
    Extension(caller): Extension<Caller>,
    asks: Asks,
    upgrade: Upgrade,
) -> Result<Response, Problem> {
    let (asked, upgrade) = check(asks, upgrade)?;
    let ground = terminals.console();
    attach(&terminals, &caller, ground, asked, upgrade)
}

/// Sees whether what was asked for can be had at all.
fn check(asks: Asks, upgrade: Upgrade) -> Result<(Asked, WebSocketUpgrade), Problem> {
    let Query(asked) =
        asks.map_err(|refused| Problem::new(refused.status(), "usage", refused.body_text()))?;
    let upgrade = upgrade.map_err(|refused| {
        let problem = Problem::new(refused.status(), "no_websocket", refused.body_text());
        problem.hint("connect with a WebSocket: terminals are at /terminals/vm/NAME")
    })?;
    let upgrade = upgrade.protocols([PROTOCOL]);
    if upgrade.selected_protocol().is_none() {
        let detail = format!("only the subprotocol {PROTOCOL} is spoken here");
        let problem = Problem::new(StatusCode::BAD_REQUEST, "subprotocol", detail);
        return Err(problem.hint("offer it: Sec-WebSocket-Protocol"));
    }
    Ok((asked, upgrade))
}

/// Finds the session or opens one, and has the page connected to it.
fn attach(
    terminals: &Terminals,
    caller: &Caller,
    ground: Ground,
    asked: Asked,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Problem> {
    let known = asked.session.and_then(|id| terminals.find(&id, &ground));
    let resumed = known.is_some();
    let session = match known {
        Some(session) => {
            if let (Some(cols), Some(rows)) = (asked.cols, asked.rows) {
                session.resize(possible((cols, rows)));
            }
            session
        }
        None => {
            let cols = asked.cols.unwrap_or(USUAL.0);
            let rows = asked.rows.unwrap_or(USUAL.1);
            terminals.open(ground, possible((cols, rows)))?
        }
    };
    let offset = asked.offset.filter(|_| resumed).unwrap_or_default();
    let who = who(caller);
    let stop = terminals.stop();
    let upgrade = upgrade
        .read_buffer_size(READ_AHEAD)
        .write_buffer_size(0)
        .max_frame_size(READABLE)
        .max_message_size(READABLE);
    Ok(upgrade.on_upgrade(async move |socket| {
        note(&session, &who, resumed);
        let end = socket::serve(socket, session.clone(), offset, resumed, &stop).await;
        note_end(&session, &who, &end);
    }))
}

/// Whoever it is, for the log. A token is a secret, and a session's public name is none.
fn who(caller: &Caller) -> String {
    match caller {
        Caller::Session(name) => format!("session {name}"),
        Caller::Token => "a program with the token".into(),
    }
}

fn note(session: &Arc<Session>, who: &str, resumed: bool) {
    let (machine, _) = session.machine().unzip();
    let machine = machine.as_deref().unwrap_or("the console");
    tracing::info!(
        session = session.id(),
        who,
        machine,
        resumed,
        "terminal attached"
    );
}

fn note_end(session: &Arc<Session>, who: &str, end: &End) {
    match end {
        End::Refused(code, reason) => {
            tracing::warn!(
                session = session.id(),
                who,
                code,
                reason,
                "terminal refused"
            );
        }
        end => tracing::info!(session = session.id(), who, ?end, "terminal detached"),
    }
}
