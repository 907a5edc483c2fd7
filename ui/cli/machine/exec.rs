//! The command line of `sistemo machine exec`: which words are options, and what the guest is to run.

use clap::Parser;

use crate::cli::complete;

/// Run a command in a machine
///
/// Everything after the name is the command, flags included. A single word is a shell line; several
/// are passed on word by word, as they are. Standard input, output and error are streamed
/// separately, and the exit status is the command's.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  sistemo machine exec web df -h\n  \
    sistemo machine exec web 'ps aux | wc -l'\n  \
    sistemo machine exec web -t -- top\n  \
    tar c . | sistemo machine exec web -- tar x -C /srv")]
pub(crate) struct Exec {
    #[command(flatten)]
    pub(super) options: Options,

    /// Name or identifier
    #[arg(add = complete::machines())]
    pub(super) name: String,

    /// The command
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "COMMAND"
    )]
    command: Vec<String>,
}

#[derive(clap::Args, Default)]
pub(super) struct Options {
    /// Give the command a terminal
    #[arg(short, long)]
    pub(super) tty: bool,

    /// Standard input is passed on anyway; for those used to docker
    #[arg(short, long, hide_short_help = true)]
    interactive: bool,

    /// Set an environment variable; repeatable
    #[arg(short, long, value_name = "KEY=VALUE", value_parser = variable)]
    pub(super) env: Vec<(String, String)>,

    /// Run it in this directory
    #[arg(short, long, value_name = "DIR")]
    workdir: Option<String>,

    /// Run it as this user
    #[arg(short, long, value_name = "USER")]
    pub(super) user: Option<String>,
}

/// Options between the name and a `--`, as in `exec web -t -- top`.
#[derive(Parser)]
#[command(no_binary_name = true, disable_help_flag = true)]
struct Between {
    #[command(flatten)]
    options: Options,
}

fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.into(), value.into())),
        _ => Err("wants KEY=VALUE".into()),
    }
}

impl Exec {
    /// Takes options that stand between the name and `--` out of the command. What is not an option of ours belongs to
    /// the command.
    pub(super) fn settle(mut self) -> Self {
        let Some(dashes) = self.command.iter().position(|word| word == "--") else {
            return self;
        };
        let Ok(between) = Between::try_parse_from(&self.command[..dashes]) else {
            return self;
        };
        let rest = self.command.split_off(dashes + 1);
        if rest.is_empty() {
            return self;
        }
        let options = between.options;
        self.command = rest;
        self.options.tty |= options.tty;
        self.options.env.extend(options.env);
        self.options.workdir = options.workdir.or(self.options.workdir);
        self.options.user = options.user.or(self.options.user);
        self
    }

    /// The line that the guest's shell runs.
    pub(super) fn line(&self) -> String {
        line(&self.command, self.options.workdir.as_deref())
    }
}

/// The line for a shell of a command that is a line itself when it is one word, and words as they are else.
pub(crate) fn line(command: &[String], folder: Option<&str>) -> String {
    let command = match command {
        [line] => line.clone(),
        words => words
            .iter()
            .map(|word| quote(word))
            .collect::<Vec<_>>()
            .join(" "),
    };
    match folder {
        Some(folder) => format!("cd {} && {command}", quote(folder)),
        None => command,
    }
}

/// A word that a POSIX shell reads back as it is.
pub(crate) fn quote(word: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_./:=,@%+".contains(&b);
    if !word.is_empty() && word.bytes().all(plain) {
        return word.into();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        exec: Exec,
    }

    fn parse(words: &str) -> Exec {
        let words = std::iter::once("exec").chain(words.split_whitespace());
        Line::try_parse_from(words).unwrap().exec.settle()
    }

    #[test]
    fn everything_after_the_name_is_the_command() {
        assert_eq!(parse("web df -h").line(), "df -h");
        assert_eq!(
            parse("web -- cat /etc/os-release").line(),
            "cat /etc/os-release"
        );
        assert_eq!(parse("web ls -- -t").line(), "ls -- -t");
        assert_eq!(parse("web uname --version").line(), "uname --version");
        assert_eq!(parse("web -la").line(), "-la");
    }

    #[test]
    fn options_stand_before_the_name_or_before_dashes() {
        for words in [
            "-t -u www -w /srv web ls -t",
            "web -t -u www -w /srv -- ls -t",
        ] {
            let exec = parse(words);
            assert!(exec.options.tty, "{words}");
            assert_eq!(exec.options.user.as_deref(), Some("www"));
            assert_eq!(exec.line(), "cd /srv && ls -t");
        }
        let exec = parse("-e A=1 web -e B=2 -- env");
        assert_eq!(
            exec.options.env,
            [("A".into(), "1".into()), ("B".into(), "2".into())]
        );
    }

    #[test]
    fn words_arrive_as_they_were_typed_and_one_word_is_a_shell_line() {
        let line = |words: &[&str]| Exec {
            options: Options::default(),
            name: "web".into(),
            command: words.iter().map(ToString::to_string).collect(),
        };
        assert_eq!(line(&["a | b"]).line(), "a | b");
        assert_eq!(
            line(&["echo", "a  b", "$HOME", "it's", ""]).line(),
            r"echo 'a  b' '$HOME' 'it'\''s' ''"
        );
    }
}
