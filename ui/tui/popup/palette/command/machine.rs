//! `machine …`, done in here.

use super::refusal::{elsewhere, failed, given, refuse};
use super::{Outcome, Refusal, asked, each, machine_of, volume_of};
use crate::cli::machine::Machine;
use crate::cli::machine::power::Grace;
use crate::cli::machine::snapshot::Snapshot as Taken;
use crate::cli::machine::volume::Volume as Data;
use crate::tui::action::Action;
use crate::tui::model::Model;
use crate::tui::model::place::View;
use crate::tui::popup::Step;
use crate::tui::task::{Task, Thing};

/// Does something with one machine as its key would.
fn on(name: &str, action: Action, model: &Model) -> Outcome {
    let machine = machine_of(name, model)?;
    Ok(vec![Step::ActOn(
        View::Machines,
        machine.id.clone(),
        action,
    )])
}

/// What a command of machines does.
pub(super) fn steps(command: Machine, model: &Model) -> Outcome {
    let thing = |name: &str| machine_of(name, model).map(Thing::from);
    match command {
        Machine::Deploy(args) => {
            let options = [
                ("--no-wait", args.no_wait),
                ("--from-snapshot", args.from_snapshot.is_some()),
            ];
            refuse("machine deploy", given(options))?;
            let request = args.request().map_err(failed)?;
            Ok(vec![Step::Do(Task::Deploy(Box::new(request)))])
        }
        // Also those that are being deleted, in any case.
        Machine::List(_) => Ok(vec![Step::Act(Action::Machines)]),
        Machine::Stats(args) => {
            refuse("machine stats", given([("NAME", !args.names.is_empty())]))?;
            Ok(vec![Step::Act(Action::Machines)])
        }
        Machine::Status(args) => on(&args.name, Action::Open, model),
        Machine::Start(args) => {
            refuse("machine start", given([("--no-wait", args.no_wait)]))?;
            each(&args.names, false, model, |name| {
                Ok(Task::start(machine_of(name, model)?))
            })
        }
        Machine::Stop(args) => {
            let force = forced(&args.grace)?;
            each(&args.names, false, model, |name| {
                Ok(Task::Stop {
                    machine: thing(name)?,
                    force,
                })
            })
        }
        Machine::Restart(args) => match forced(&args.grace)? {
            true => Err(Refusal::new(
                "restart takes no --force in here",
                "machine stop --force, then machine start",
            )),
            false => each(&args.names, false, model, |name| {
                Ok(Task::Restart(thing(name)?))
            }),
        },
        Machine::Pause(args) => each(&args.names, false, model, |name| {
            Ok(Task::Pause(thing(name)?))
        }),
        Machine::Resume(args) => each(&args.names, false, model, |name| {
            Ok(Task::Resume(thing(name)?))
        }),
        Machine::Snapshot(Taken::Create { machine, snapshot }) => {
            let task = Task::Snapshot {
                machine: thing(&machine)?,
                name: snapshot,
            };
            Ok(asked(vec![task], false, model))
        }
        Machine::Snapshot(Taken::Restore {
            machine,
            snapshot,
            disks_only,
            yes,
        }) => {
            refuse(
                "machine snapshot restore",
                given([("--disks-only", disks_only)]),
            )?;
            let task = Task::Restore {
                machine: thing(&machine)?,
                snapshot,
            };
            Ok(asked(vec![task], yes, model))
        }
        Machine::Snapshot(Taken::Delete {
            machine,
            snapshots,
            yes,
        }) => {
            let machine = thing(&machine)?;
            let task = |snapshot| Task::DeleteSnapshot {
                machine: machine.clone(),
                snapshot,
            };
            Ok(asked(snapshots.into_iter().map(task).collect(), yes, model))
        }
        Machine::Snapshot(Taken::List { .. } | Taken::Show { .. }) => {
            Err(elsewhere("machine snapshot list"))
        }
        Machine::Fork(args) => {
            let options = [
                ("--expose", !args.expose.is_empty()),
                ("--disks-only", args.disks_only),
                ("--no-wait", args.no_wait),
            ];
            refuse("machine fork", given(options))?;
            Ok(vec![Step::Do(Task::Fork {
                machine: thing(&args.name)?,
                new: args.new,
            })])
        }
        Machine::Delete(args) => each(&args.names, args.yes, model, |name| {
            Ok(Task::Delete {
                machine: thing(name)?,
                keep_storage: args.preserve_storage,
            })
        }),
        Machine::Ssh(args) if !args.command.is_empty() || args.login != "root" => {
            Err(elsewhere("machine ssh with a command or a user"))
        }
        Machine::Ssh(args)
            if !args.local.is_empty() || !args.remote.is_empty() || !args.dynamic.is_empty() =>
        {
            Err(elsewhere("machine ssh with forwarded ports"))
        }
        Machine::Ssh(args) => {
            let options = [
                ("--agent", args.agent),
                ("--no-command", args.no_command),
                ("--tty", args.tty),
            ];
            refuse("machine ssh", given(options))?;
            on(&args.name, Action::Shell, model)
        }
        Machine::Terminal(args) => {
            refuse("machine terminal", given([("--print", args.print)]))?;
            on(&args.name, Action::Shell, model)
        }
        // It is followed, in any case.
        Machine::Logs(args) => {
            let options = [
                ("--previous", args.previous),
                ("--since", args.since.is_some()),
                ("--until", args.until.is_some()),
                ("--tail", args.tail.is_some()),
                ("--timestamps", args.timestamps),
                ("--raw", args.raw),
            ];
            refuse("machine logs", given(options))?;
            on(&args.name, Action::BootLog, model)
        }
        Machine::Exec(_) => Err(elsewhere("machine exec")),
        Machine::Cp(_) => Err(elsewhere("machine cp")),
        Machine::Expose(args) => {
            let task = Task::Expose {
                machine: thing(&args.name)?,
                port: args.port,
            };
            Ok(asked(vec![task], false, model))
        }
        Machine::Unexpose(args) => {
            let task = Task::Unexpose {
                machine: thing(&args.name)?,
                port: args.port,
            };
            Ok(asked(vec![task], false, model))
        }
        Machine::Rename(args) => Ok(vec![Step::Do(Task::Rename {
            machine: thing(&args.name)?,
            new: args.new,
        })]),
        Machine::Volume(Data::Attach { machine, volume }) => {
            volume_of(&volume.volume, model)?;
            let task = Task::Attach {
                machine: thing(&machine)?,
                attachment: volume,
            };
            Ok(asked(vec![task], false, model))
        }
        Machine::Volume(Data::Detach { machine, volume }) => {
            let task = Task::Detach {
                machine: thing(&machine)?,
                volume: volume_of(&volume, model)?,
            };
            Ok(asked(vec![task], false, model))
        }
    }
}

/// Whether a guest is not to be asked. How long it may take is a setting in here.
fn forced(grace: &Grace) -> Result<bool, Refusal> {
    match grace.timeout {
        Some(_) => Err(Refusal::new(
            "the console takes no --timeout",
            "it goes by the setting stop_timeout, or --force",
        )),
        None => Ok(grace.force),
    }
}
