//! Whether hypervisors are contained, and what of that this host lacks.

use super::Check;
use crate::vmm::contain::{Ability, Choice, is_wanted};

const NAME: &str = "containment";

pub(super) fn check(choice: Choice) -> Check {
    of(choice, &Ability::look())
}

fn of(choice: Choice, ability: &Ability) -> Check {
    let wanted = match is_wanted(choice, ability) {
        Ok(wanted) => wanted,
        Err(error) => {
            let mend = "sistemo config set contain auto: as much of it as can be had";
            return Check::bad(
                NAME,
                format!("the setting is always, but {}", why(ability, error)),
                mend,
            );
        }
    };
    if !wanted {
        let message = "hypervisors may do what the program that starts them may";
        return Check::good(NAME, message).with_remark(match &ability.obstacle {
            Some(why) if choice != Choice::Never => format!("they cannot be contained: {why}"),
            _ => "the setting contain is never".into(),
        });
    }
    let message = "each hypervisor is a user of its own and sees its own files and processes alone";
    match ability.ungrouped() {
        None => Check::good(NAME, format!("{message}, within a control group")),
        Some(why) => Check::good(NAME, message).with_remark(format!(
            "what control groups would limit has no limit, or a softer one: {why}"
        )),
    }
}

fn why(ability: &Ability, error: crate::vmm::contain::Error) -> String {
    let known = ability.obstacle.clone().or_else(|| ability.ungrouped());
    known.unwrap_or_else(|| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_is_missing() {
        let here = Ability::look();
        let user = Ability {
            obstacle: Some("this program does not run as root".into()),
            ..here.clone()
        };
        let ungrouped = Ability {
            obstacle: None,
            controllers: Err("they are not mounted".into()),
        };
        let auto = of(Choice::Auto, &ungrouped);
        assert!(auto.ok && auto.hint.unwrap().ends_with("they are not mounted"));
        let always = of(Choice::Always, &ungrouped);
        assert!(!always.ok && always.message.ends_with("but they are not mounted"));
        let never = of(Choice::Never, &ungrouped);
        assert!(never.ok && never.hint.unwrap().ends_with("never"));
        let auto = of(Choice::Auto, &user);
        assert!(auto.ok && auto.hint.unwrap().ends_with("as root"));
        assert!(!of(Choice::Always, &user).ok);
    }
}
