//! How much a guest may send and be sent: a token bucket at either end of its way out, so that both directions are
//! shaped where packets leave (tc-tbf(8)).

use std::io;

use rtnetlink::packet_core::{DefaultNla, NetlinkMessage, NetlinkPayload};
use rtnetlink::packet_core::{NLM_F_ACK, NLM_F_CREATE, NLM_F_REPLACE, NLM_F_REQUEST};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::tc::{TcAttribute, TcHandle, TcMessage, TcOption};

use super::error::Error;
use super::links::{Link, Links};

// Attributes of a token bucket (linux/pkt_sched.h, TCA_TBF_*).
const PARAMETERS: u16 = 1;
const RATE64: u16 = 4;
const BURST: u16 = 6;
/// `TC_LINKLAYER_ETHERNET`: the kernel computes by itself, without a table of rates.
const ETHERNET: u8 = 1;
/// What may leave at once, at least: a packet as large as the kernel makes them (64 KiB).
const LEAST_BURST: u64 = 64 << 10;

impl Links {
    /// Has no more than `mbps` megabits per second leave by the link, whatever it was before.
    ///
    /// # Errors
    ///
    /// [`Error::NoShaper`] on a kernel without token buckets.
    pub async fn shape(&self, link: &Link, mbps: u32) -> Result<(), Error> {
        let failed = |source: io::Error| match source.raw_os_error() {
            Some(nix::libc::ENOENT) => Error::NoShaper,
            _ => Error::Link {
                act: "limit what leaves by",
                name: link.name.clone(),
                source,
            },
        };
        let mut message = TcMessage::with_index(link.index.cast_signed());
        message.header.parent = TcHandle::ROOT;
        message.attributes = vec![
            TcAttribute::Kind("tbf".into()),
            TcAttribute::Options(options(mbps)),
        ];
        let mut request = NetlinkMessage::from(RouteNetlinkMessage::NewQueueDiscipline(message));
        request.header.flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE;
        for answer in self.ask(request).await.map_err(failed)? {
            if let NetlinkPayload::Error(refused) = answer.payload
                && refused.code.is_some()
            {
                return Err(failed(refused.to_io()));
            }
        }
        Ok(())
    }
}

/// A bucket that fills with `mbps` megabits per second: 50 ms of it may leave at once, and 100 ms more wait their turn.
fn options(mbps: u32) -> Vec<TcOption> {
    let rate = u64::from(mbps) * 1_000_000 / 8;
    let burst = (rate / 20).max(LEAST_BURST);
    let queue = burst + (rate / 10).max(LEAST_BURST);
    let narrow = |wide: u64| u32::try_from(wide).unwrap_or(u32::MAX);
    // struct tc_tbf_qopt: the rate and the peak rate, each a struct tc_ratespec, then limit, buffer and mtu.
    let mut parameters = [0; 36];
    parameters[1] = ETHERNET;
    parameters[8..12].copy_from_slice(&narrow(rate).to_ne_bytes());
    parameters[24..28].copy_from_slice(&narrow(queue).to_ne_bytes());
    let option = |kind, bytes: &[u8]| TcOption::Other(DefaultNla::new(kind, bytes.to_vec()));
    let mut options = vec![option(PARAMETERS, &parameters)];
    if u32::try_from(rate).is_err() {
        options.push(option(RATE64, &rate.to_ne_bytes()));
    }
    options.push(option(BURST, &narrow(burst).to_ne_bytes()));
    options
}
