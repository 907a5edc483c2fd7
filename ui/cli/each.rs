//! The same for each of several names.

use std::process::ExitCode;

use super::Context;
use super::report::{self, Failure};

/// Does the same to each name in turn. One that fails is reported and does not keep the others from their turn, an
/// interrupt does. Comes back with what was done and the exit status, which is that of the first failure.
pub(crate) async fn each<T>(
    context: &Context,
    names: &[String],
    act: impl AsyncFn(&str) -> Result<T, Failure>,
) -> (Vec<T>, Result<ExitCode, Failure>) {
    let mut done = Vec::new();
    let mut failed = None;
    for name in names {
        let outcome = match context.cancel.is_cancelled() {
            true => Err(Failure::Cancelled),
            false => act(name).await,
        };
        match outcome {
            Ok(thing) => done.push(thing),
            Err(failure) => {
                failed.get_or_insert(report::failure(&failure, context.format));
                if context.cancel.is_cancelled() {
                    break;
                }
            }
        }
    }
    let status = match failed {
        Some(code) => Err(Failure::Reported(code)),
        None => Ok(ExitCode::SUCCESS),
    };
    (done, status)
}
