//! A log as it is written out: as it is, or line by line, and made harmless where a terminal would act on it.

use std::io::Write;

use serde::Serialize;
use sistemo::error::Result;
use sistemo::machine::{Console, Piece};
use sistemo::value::Moment;

use super::harmless::Harmless;

/// How a log is to be shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form {
    pub(crate) json: bool,
    pub(crate) timestamps: bool,
    pub(crate) since: Option<Moment>,
    pub(crate) until: Option<Moment>,
    /// Whether the reader is a terminal that is not to act on what the guest says.
    pub(crate) harmless: bool,
}

impl Form {
    /// Whether it matters where a line ends, and when.
    fn is_by_line(&self) -> bool {
        self.json || self.timestamps || self.since.is_some() || self.until.is_some()
    }
}

/// A line of the log for a program. In place of what was left out there is one that says how much that was.
#[derive(Serialize)]
struct Line<'a> {
    time: Option<&'a str>,
    line: Option<&'a str>,
    left_out_bytes: Option<u64>,
}

/// The most that is held back of a line that does not end.
const LONGEST: usize = 1 << 20;

/// Shows pieces of a log one after the other.
pub(crate) struct Show<W> {
    out: W,
    form: Form,
    harmless: Harmless,
    /// A line whose end has not come yet, and where in the log the byte after it is.
    begun: Vec<u8>,
    at: u64,
    /// Whether what was written last did not end a line.
    is_midway: bool,
}

impl<W: Write> Show<W> {
    pub(crate) fn new(out: W, form: Form) -> Self {
        Show {
            out,
            form,
            harmless: Harmless::default(),
            begun: Vec::new(),
            at: 0,
            is_midway: false,
        }
    }

    /// Shows a piece. `false` when nobody wants to see any more.
    pub(crate) fn piece(&mut self, piece: &Piece, console: &Console) -> Result<bool> {
        if piece.left_out > 0 && !self.left_out(piece.left_out) {
            return Ok(false);
        }
        if !self.form.is_by_line() {
            return Ok(self.write(&piece.bytes));
        }
        if piece.at != self.at && !self.begun.is_empty() {
            // Another start has begun another log.
            self.line(console)?;
        }
        self.at = piece.at;
        for part in piece.bytes.split_inclusive(|byte| *byte == b'\n') {
            self.begun.extend_from_slice(part);
            self.at += part.len() as u64;
            let ends = part.ends_with(b"\n") || self.begun.len() >= LONGEST;
            if ends && !self.line(console)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Shows what is left of a line that has not ended.
    pub(crate) fn end(&mut self, console: &Console) -> Result<()> {
        if !self.begun.is_empty() {
            self.line(console)?;
        }
        if self.form.harmless {
            let reset = self.harmless.reset();
            self.put(reset.as_bytes());
        }
        Ok(())
    }

    /// Shows the line that has come together. It was written when its last byte was.
    fn line(&mut self, console: &Console) -> Result<bool> {
        let mut bytes = std::mem::take(&mut self.begun);
        let last = self.at.saturating_sub(1);
        if let Some(until) = self.form.until
            && console.not_before(last) > until.0
        {
            return Ok(false);
        }
        let time = console.time_of(last)?;
        if self.form.since.is_some_and(|since| time < since.0) {
            return Ok(true);
        }
        let time = time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
        if self.form.json {
            let text = String::from_utf8_lossy(&bytes);
            let (time, line) = (
                Some(time.as_str()),
                Some(text.trim_end_matches(['\r', '\n'])),
            );
            let left_out_bytes = None;
            return Ok(self.json(&Line {
                time,
                line,
                left_out_bytes,
            }));
        }
        if self.form.timestamps {
            bytes.splice(0..0, format!("{time} ").into_bytes());
        }
        Ok(self.write(&bytes))
    }

    /// Says in a line of its own that something is missing.
    fn left_out(&mut self, bytes: u64) -> bool {
        // The end of the line before is among it.
        self.begun.clear();
        if self.form.json {
            let left_out_bytes = Some(bytes);
            return self.json(&Line {
                time: None,
                line: None,
                left_out_bytes,
            });
        }
        let before = if self.is_midway { "\n" } else { "" };
        self.is_midway = false;
        let reset = match self.form.harmless {
            true => self.harmless.reset(),
            false => "",
        };
        self.put(
            format!("{reset}{before}[{bytes} bytes of the log were left out here]\n").as_bytes(),
        )
    }

    fn json(&mut self, line: &Line<'_>) -> bool {
        // Text and numbers always have a JSON form.
        let text = serde_json::to_string(line).unwrap_or_default();
        self.put(format!("{text}\n").as_bytes())
    }

    fn write(&mut self, bytes: &[u8]) -> bool {
        self.is_midway = bytes.last().is_some_and(|byte| *byte != b'\n');
        if self.form.harmless {
            let text = self.harmless.pass(bytes);
            return self.put(text.as_bytes());
        }
        self.put(bytes)
    }

    /// A reader that has gone away (`| head`) has seen enough.
    fn put(&mut self, bytes: &[u8]) -> bool {
        let out = &mut self.out;
        out.write_all(bytes).and_then(|()| out.flush()).is_ok()
    }

    /// Where it writes to.
    pub(crate) fn out(&mut self) -> &mut W {
        &mut self.out
    }
}
