//! `/metrics`: numbers for Prometheus (OpenMetrics 1.0, text).

use std::sync::atomic::AtomicU64;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use sistemo::machine::Stats;
use sistemo::store::machines::Status;

use super::machines::measured;
use super::problem::Answer;
use crate::web::Web;

/// Upper ends of the durations of requests, in seconds.
const BUCKETS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 10.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    method: &'static str,
    route: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfStatus {
    status: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfMachine {
    id: String,
    name: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfOperation {
    kind: &'static str,
    outcome: &'static str,
}

/// What is counted as it happens.
#[derive(Debug)]
pub(crate) struct Metrics {
    requests: Family<Outcome, Counter>,
    durations: Family<Route, Histogram, fn() -> Histogram>,
    /// Terminals that are open, those that wait to be come back to included. Whoever opens and closes them counts.
    pub(crate) terminals: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        Metrics {
            requests: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            terminals: Gauge::default(),
        }
    }
}

/// A layer that counts requests, by the route that they took.
pub(crate) async fn count(State(web): State<Web>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let method = word(request.method());
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map_or("none", MatchedPath::as_str).to_owned();
    let response = next.run(request).await;
    let metrics = &web.api().metrics;
    let outcome = Outcome {
        method,
        route: route.clone(),
        status: response.status().as_u16(),
    };
    metrics.requests.get_or_create(&outcome).inc();
    let took = begun.elapsed().as_secs_f64();
    metrics
        .durations
        .get_or_create(&Route { method, route })
        .observe(took);
    response
}

/// A client may make methods up.
fn word(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// Show numbers for Prometheus.
pub(super) async fn show(State(web): State<Web>) -> Answer<Response> {
    let stats = measured(&web).await?;
    let mut registry = Registry::default();
    own(&web, &mut registry);
    machines(&stats, &mut registry);
    let mut body = String::new();
    // Writing to memory cannot fail.
    let _ = text::encode(&mut body, &registry);
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let kind = HeaderValue::from_static(kind);
    Ok(([(header::CONTENT_TYPE, kind)], body).into_response())
}

/// Numbers of the daemon.
fn own(web: &Web, registry: &mut Registry) {
    let metrics = &web.api().metrics;
    let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
    registry.register("sistemo_build", "The daemon's version", version);
    let requests = metrics.requests.clone();
    registry.register(
        "sistemo_http_requests",
        "Requests that were answered",
        requests,
    );
    registry.register_with_unit(
        "sistemo_http_request_duration",
        "How long answers took to begin",
        Unit::Seconds,
        metrics.durations.clone(),
    );
    let terminals = metrics.terminals.clone();
    registry.register("sistemo_terminals_open", "Terminals in browsers", terminals);
    let operations = Family::<OfOperation, Counter>::default();
    for (kind, state, count) in web.operations().counts() {
        let outcome = state.as_str();
        operations
            .get_or_create(&OfOperation { kind, outcome })
            .inc_by(count);
    }
    registry.register(
        "sistemo_operations",
        "Operations that have ended",
        operations,
    );
    let running = Gauge::<i64>::default();
    running.set(i64::try_from(web.operations().running()).unwrap_or(i64::MAX));
    registry.register("sistemo_operations_running", "Operations that run", running);
}

/// A number of each machine: its name, what it is, and where it comes from.
type Number = (&'static str, &'static str, fn(&Stats) -> Option<u64>);

/// Numbers of machines, as they were measured just now.
fn machines(stats: &[Stats], registry: &mut Registry) {
    let by_status = Family::<OfStatus, Gauge>::default();
    for status in Status::ALL {
        let count = stats.iter().filter(|stats| stats.status == status).count();
        let status = status.as_str();
        let gauge = by_status.get_or_create(&OfStatus { status });
        gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
    }
    registry.register("sistemo_machines", "Machines", by_status);
    let cpu = Family::<OfMachine, Counter<f64, AtomicU64>>::default();
    let gauges: [Number; 2] = [
        (
            "sistemo_machine_memory",
            "Memory of the host that a machine has",
            |it| it.memory_bytes,
        ),
        (
            "sistemo_machine_memory_limit",
            "Memory that a guest has",
            |it| Some(it.memory_limit_bytes),
        ),
    ];
    let counters: [Number; 4] = [
        (
            "sistemo_machine_disk_read",
            "Read from the host's disks",
            |it| it.disk_read_bytes,
        ),
        (
            "sistemo_machine_disk_write",
            "Written to the host's disks",
            |it| it.disk_write_bytes,
        ),
        (
            "sistemo_machine_network_receive",
            "Sent to a machine",
            |it| it.network_rx_bytes,
        ),
        (
            "sistemo_machine_network_transmit",
            "Sent by a machine",
            |it| it.network_tx_bytes,
        ),
    ];
    let of = |stats: &Stats| OfMachine {
        id: stats.id.clone(),
        name: stats.name.clone(),
    };
    for stats in stats {
        if let Some(time) = stats.cpu_time_ns {
            cpu.get_or_create(&of(stats)).inc_by(time as f64 / 1e9);
        }
    }
    let help = "Time of processors that a machine has taken since its start";
    registry.register_with_unit("sistemo_machine_cpu", help, Unit::Seconds, cpu);
    for (name, help, value) in gauges {
        let family = Family::<OfMachine, Gauge>::default();
        for stats in stats {
            if let Some(value) = value(stats) {
                let gauge = family.get_or_create(&of(stats));
                gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
            }
        }
        registry.register_with_unit(name, help, Unit::Bytes, family);
    }
    for (name, help, value) in counters {
        let family = Family::<OfMachine, Counter>::default();
        for stats in stats {
            if let Some(value) = value(stats) {
                family.get_or_create(&of(stats)).inc_by(value);
            }
        }
        registry.register_with_unit(name, help, Unit::Bytes, family);
    }
}
