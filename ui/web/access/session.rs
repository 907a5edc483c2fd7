//! Logging in and out, tickets, and the proof of who the server is.

use std::time::Instant;

use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use axum::http::header::{HeaderMap, HeaderValue, ORIGIN, SET_COOKIE};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sistemo::value::Scheme;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::guard::{denial, note};
use super::secret::LENGTH;
use super::sessions::{LIFE, Opened};
use super::{Caller, Denied, tickets};
use crate::web::server::Peer;
use crate::web::{Problem, Web};

pub(crate) fn routes() -> OpenApiRouter<Web> {
    OpenApiRouter::new()
        .routes(routes!(log_in, look, log_out))
        .routes(routes!(make_ticket))
        .routes(routes!(prove))
}

/// How somebody wants to come in: by one of the two.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Login {
    /// A ticket, which is used up thereby.
    ticket: Option<String>,
    /// The token.
    token: Option<String>,
}

/// What a page needs to go on.
#[derive(Serialize, ToSchema)]
struct LoggedIn {
    /// To be sent as `Sistemo-Session-Key` with every request, beside the cookie.
    key: String,
    /// Seconds until the session ends if nobody uses it.
    expires_in: u64,
}

/// Log in
#[utoipa::path(post, path = "/api/v1/session", operation_id = "log_in", tag = "session", security(()),
    request_body = Login,
    responses(
        (status = 200, description = "Logged in; a cookie holds the session", body = LoggedIn),
        (status = 400, description = "It is asked for wrongly", content_type = "application/problem+json"),
        (status = 401, description = "That lets nobody in", content_type = "application/problem+json"),
        (status = 403, description = "It comes from a page of another origin", content_type = "application/problem+json"),
        (status = 413, description = "It is too long", content_type = "application/problem+json"),
        (status = 415, description = "It is no JSON", content_type = "application/problem+json"),
        (status = 429, description = "The same, and too often", content_type = "application/problem+json"),
    ))]
async fn log_in(
    State(web): State<Web>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    login: Result<Json<Login>, JsonRejection>,
) -> Response {
    let from = peer.address.ip();
    let access = web.access();
    let opened = match login {
        Ok(Json(Login {
            ticket: Some(ticket),
            token: None,
        })) => access.login_by_ticket(&ticket, from),
        Ok(Json(Login {
            ticket: None,
            token: Some(token),
        })) => access.login_by_token(&token, from),
        Ok(_) => {
            let said = "a login has a ticket or a token";
            return Problem::new(StatusCode::BAD_REQUEST, "usage", said).into_response();
        }
        Err(rejection) => return rejected(&rejection),
    };
    let opened: Opened = match opened {
        Ok(opened) => opened,
        Err(denied) => return denial(&web, denied, from).await,
    };
    let page = headers.contains_key(ORIGIN);
    tracing::info!(%from, session = opened.name, page, "somebody has logged in");
    note(&web, from, None).await;
    peer.standing.known();
    let answer = LoggedIn {
        key: opened.key.as_str().into(),
        expires_in: opened.expires_in.as_secs(),
    };
    let cookie = cookie(
        &access.cookie,
        access.scheme,
        opened.cookie.as_str(),
        LIFE.as_secs(),
    );
    with_cookie(Json(answer).into_response(), &cookie)
}

/// Who has come in.
#[derive(Serialize, ToSchema)]
struct Seen {
    /// The session's public name; `null` of a program with the token.
    session: Option<String>,
    /// Seconds until the session ends if nobody uses it; `null` of a program with the token.
    expires_in: Option<u64>,
}

/// See whether one is logged in
#[utoipa::path(get, path = "/api/v1/session", operation_id = "session", tag = "session",
    responses((status = 200, description = "Logged in", body = Seen),
        (status = 401, description = "Nobody is", content_type = "application/problem+json")))]
async fn look(State(web): State<Web>, Extension(caller): Extension<Caller>) -> Json<Seen> {
    let session = match caller {
        Caller::Session(name) => Some(name),
        Caller::Token => None,
    };
    let rest = |name: &String| {
        web.access()
            .state()
            .sessions
            .expires_in(name, Instant::now())
    };
    Json(Seen {
        expires_in: session.as_ref().and_then(rest).map(|rest| rest.as_secs()),
        session,
    })
}

/// Log out
///
/// Terminals and streams of the session end. A program with the token has no session to end.
#[utoipa::path(delete, path = "/api/v1/session", operation_id = "log_out", tag = "session",
    responses((status = 204, description = "Logged out"),
        (status = 401, description = "Nobody is logged in", content_type = "application/problem+json")))]
async fn log_out(State(web): State<Web>, Extension(caller): Extension<Caller>) -> Response {
    let access = web.access();
    if let Caller::Session(name) = &caller {
        access.state().sessions.close(name);
        tracing::info!(session = name, "somebody has logged out");
    }
    let cookie = cookie(&access.cookie, access.scheme, "", 0);
    with_cookie(StatusCode::NO_CONTENT.into_response(), &cookie)
}

/// A way in for somebody else.
#[derive(Serialize, Deserialize, ToSchema)]
pub(crate) struct Ticket {
    /// Good once; it belongs behind the `#ticket=` of a page's address, which browsers send to nobody.
    pub(crate) ticket: String,
    /// Seconds until it is good no more.
    pub(crate) expires_in: u64,
}

/// Make a ticket, which lets somebody log in once
#[utoipa::path(post, path = "/api/v1/tickets", operation_id = "make_ticket", tag = "session",
    responses((status = 200, description = "A ticket", body = Ticket),
        (status = 401, description = "Nobody is logged in", content_type = "application/problem+json")))]
async fn make_ticket(
    State(web): State<Web>,
    Extension(peer): Extension<Peer>,
    Extension(caller): Extension<Caller>,
) -> Response {
    let from = peer.address.ip();
    match web.access().ticket() {
        Ok(ticket) => {
            tracing::info!(%from, ?caller, "somebody has made a ticket");
            Json(Ticket {
                ticket: ticket.as_str().into(),
                expires_in: tickets::LIFE.as_secs(),
            })
            .into_response()
        }
        Err(error) => denial(&web, Denied::Failed(error), from).await,
    }
}

/// A program that wants to know whether the server is the one whose token it has.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Challenge {
    /// 32 random bytes in base64url without padding.
    #[schema(
        min_length = 43,
        max_length = 43,
        example = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    )]
    pub(crate) challenge: String,
}

/// What only that server can say.
#[derive(Serialize, Deserialize, ToSchema)]
pub(crate) struct Proof {
    /// HMAC-SHA-256 with the token as its key, in base64url without padding.
    pub(crate) proof: String,
}

/// Have the server prove that it has the token, before it is sent to it
#[utoipa::path(post, path = "/api/v1/proof", operation_id = "prove", tag = "session", security(()),
    request_body = Challenge,
    responses((status = 200, description = "The proof", body = Proof),
        (status = 400, description = "It is asked for wrongly", content_type = "application/problem+json"),
        (status = 403, description = "It comes from a page of another origin", content_type = "application/problem+json"),
        (status = 413, description = "It is too long", content_type = "application/problem+json"),
        (status = 415, description = "It is no JSON", content_type = "application/problem+json")))]
async fn prove(
    State(web): State<Web>,
    Extension(peer): Extension<Peer>,
    asked: Result<Json<Challenge>, JsonRejection>,
) -> Response {
    let asked = match asked {
        Ok(Json(asked)) => asked,
        Err(rejection) => return rejected(&rejection),
    };
    let challenge = BASE64_URL_SAFE_NO_PAD.decode(asked.challenge);
    let challenge: Option<[u8; LENGTH]> = challenge.ok().and_then(|bytes| bytes.try_into().ok());
    let Some(challenge) = challenge else {
        let said = "a challenge is 32 bytes in base64url without padding";
        return Problem::new(StatusCode::BAD_REQUEST, "usage", said).into_response();
    };
    let proof = web.access().prove(&challenge, peer.local);
    Json(Proof {
        proof: BASE64_URL_SAFE_NO_PAD.encode(proof),
    })
    .into_response()
}

/// A body that is not what it should be. Forms of other pages are not: they cannot say that they are JSON.
fn rejected(rejection: &JsonRejection) -> Response {
    // JSON that asks for nonsense and JSON that is none are one mistake to whoever asks.
    let status = match rejection.status() {
        StatusCode::UNPROCESSABLE_ENTITY => StatusCode::BAD_REQUEST,
        status => status,
    };
    let said = rejection.body_text();
    Problem::new(status, "usage", said).into_response()
}

fn cookie(name: &str, scheme: Scheme, value: &str, seconds: u64) -> String {
    let secure = match scheme {
        Scheme::Http => "",
        Scheme::Https => "; Secure",
    };
    format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}")
}

fn with_cookie(mut response: Response, cookie: &str) -> Response {
    // A name, base64url and words of ours are always good in a header.
    if let Ok(cookie) = HeaderValue::from_str(cookie) {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    response
}
