//! The command line, as clap reads it. Help, man pages and completions are made from this source and nothing else.

mod scan;

pub(crate) use scan::{ExitOn, LimitArgs, ScanArgs, YaraOn};

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use dachs_sigc::{Categories, Selector};

use crate::content::{Sources, categories};

/// A malware scanner: parses untrusted files in jailed workers only, and never calls an unfinished scan clean.
#[derive(Debug, Parser)]
#[command(name = "dachs", version, propagate_version = true, subcommand_required = true, arg_required_else_help = true)]
#[command(max_term_width = 100, after_long_help = EXAMPLES)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  dachs scan ~/Downloads                      look at everything in a folder
  dachs scan --format jsonl / > report.jsonl  the whole machine, for a program to read
  curl -s https://example.org/x | dachs scan -
  dachs db build -o all.image main.cvd daily.cvd own.ndb
  dachs scan -d all.image suspicious.zip
  dachs doctor                                is this machine able to jail the workers?

dachs COMMAND --help says more about each command.";

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Look for malware in files, directories and standard input.
    Scan(Box<ScanArgs>),
    /// Compile signatures into images, and look into them.
    #[command(subcommand)]
    Db(Db),
    /// The same scan with the options, output and exit codes of ClamAV's clamscan; see `dachs clamscan --help`.
    ///
    /// The executable answers so too when it is called clamscan, through a link of that name.
    #[command(disable_help_flag = true, disable_version_flag = true)]
    Clamscan {
        /// What clamscan is called with.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENTS")]
        arguments: Vec<OsString>,
    },
    /// Tell whether this machine can jail the workers, and what content and limits a scan would use.
    ///
    /// Exit codes: 0 all mandatory layers of the jail work; 2 one does not, or there is no content.
    Doctor(DoctorArgs),
    /// Write completions for a shell to standard output.
    ///
    /// For bash: dachs completions bash > ~/.local/share/bash-completion/completions/dachs
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Write the manual pages into a folder.
    Man {
        /// The folder; it is made if it is not there.
        #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
        directory: PathBuf,
    },
}

/// Forms of the answers of `db` and `doctor`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum AnswerFormat {
    /// For a person.
    #[default]
    Human,
    /// One JSON object.
    Json,
}

/// Arguments of `dachs doctor`.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// The form of the answer.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: AnswerFormat,
}

/// Where signatures come from, for commands that look some up.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ContentArgs {
    /// Signatures to use: a compiled image, a database file (ClamAV's formats), or a folder of them.
    ///
    /// May be repeated; images and sources cannot be mixed. Without this option the installed content is used
    /// ($DACHS_CONTENT, else /var/lib/dachs), together with the built-in set.
    #[arg(short, long = "database", value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub(crate) databases: Vec<PathBuf>,

    /// Take signatures of potentially unwanted programs too, when sources are compiled.
    #[arg(long)]
    pub(crate) pua: bool,

    /// Folder of certificates (*.crt) of those who are trusted for signatures beside containers (main-62.cvd.sign). With it, a
    /// container whose signature is there and wrong is refused.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) cvd_certs_dir: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) rules: RuleArgs,
}

/// Which YARA rules are taken.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct RuleArgs {
    /// Take only these YARA rules, when sources are compiled: a name, `tag:NAME` or `file:NAME`, with `*` and `?`.
    ///
    /// May be repeated. Letters match in either case. Rules that chosen ones refer to are used, but not reported.
    #[arg(long = "rule", value_name = "WHICH")]
    pub(crate) only: Vec<Selector>,

    /// Switch these YARA rules off, when sources are compiled: as --rule, which it outdoes.
    #[arg(long = "skip-rule", value_name = "WHICH")]
    pub(crate) without: Vec<Selector>,
}

impl ContentArgs {
    /// What to load.
    pub(crate) fn chosen(&self) -> Sources {
        Sources {
            paths: self.databases.clone(),
            builtin: false,
            unwanted: self.pua,
            categories: Categories::All,
            no_phishing: false,
            certificates: self.cvd_certs_dir.clone(),
            only: self.rules.only.clone(),
            without: self.rules.without.clone(),
        }
    }
}

/// What `dachs db build` compiles.
#[derive(Debug, Args)]
pub(crate) struct BuildArgs {
    /// The image to write.
    #[arg(short, long, value_name = "IMAGE", value_hint = ValueHint::FilePath)]
    pub(crate) output: PathBuf,
    /// Put the built-in set in as well, as a scan without -d has it.
    #[arg(long)]
    builtin: bool,
    /// Take signatures of potentially unwanted programs too (kinds whose names end with `u`).
    #[arg(long)]
    pua: bool,
    /// Of these take those of category CAT only (`Packer` in `PUA.Win.Packer.Name`); repeatable.
    #[arg(long, value_name = "CAT", requires = "pua", conflicts_with = "exclude_pua")]
    include_pua: Vec<String>,
    /// Of these leave those of category CAT out; repeatable.
    #[arg(long, value_name = "CAT", requires = "pua")]
    exclude_pua: Vec<String>,
    /// Leave body signatures of phishing out (`HTML.Phishing…`, `Email.Phishing…`).
    #[arg(long)]
    no_phishing_signatures: bool,
    /// Write no image if something is wrong with a YARA rule. Without it such rules are left out and told of.
    #[arg(long)]
    pub(crate) strict: bool,
    /// Folder of certificates (*.crt) of those who are trusted for signatures beside containers (main-62.cvd.sign).
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    cvd_certs_dir: Option<PathBuf>,
    #[command(flatten)]
    rules: RuleArgs,
    /// Database files, containers, or folders of them.
    #[arg(required_unless_present = "builtin", value_name = "SOURCE", value_hint = ValueHint::AnyPath)]
    sources: Vec<PathBuf>,
}

impl BuildArgs {
    /// What to compile.
    pub(crate) fn chosen(&self) -> Sources {
        Sources {
            paths: self.sources.clone(),
            builtin: self.builtin,
            unwanted: self.pua,
            categories: categories(&self.include_pua, &self.exclude_pua),
            no_phishing: self.no_phishing_signatures,
            certificates: self.cvd_certs_dir.clone(),
            only: self.rules.only.clone(),
            without: self.rules.without.clone(),
        }
    }
}

/// The commands of `dachs db`.
#[derive(Debug, Subcommand)]
pub(crate) enum Db {
    /// Compile sources into one image. The same sources give the same bytes.
    ///
    /// The image is written beside its final name first and takes that name only when it is whole, so that a scan never
    /// meets half an image. What cannot be compiled is left out, counted by reason, and said on standard error.
    ///
    /// Exit codes: 0 the image was written; 2 it was not.
    Build(Box<BuildArgs>),
    /// Measure what each YARA rule costs over a corpus: time and hits a rule, slowest first.
    ///
    /// Each rule is run alone on each file, in a jailed worker, and its time is what it takes beyond its imports. Nothing
    /// is unpacked. A large set of rules over a large corpus takes long: a few hundred files tell enough.
    ///
    /// Exit codes: 0 all was measured; 3 some files could not be, which is said; 2 nothing was.
    Profile(Box<ProfileArgs>),
    /// Show what an image holds: its sources, counts by kind of signature, what was left out and why, age and size.
    Info {
        /// The form of the answer.
        #[arg(long, value_enum, default_value_t)]
        format: AnswerFormat,
        /// A compiled image, or sources, which are compiled to be counted [default: what a scan would use].
        #[arg(value_name = "IMAGE", value_hint = ValueHint::AnyPath)]
        paths: Vec<PathBuf>,
    },
    /// Check every checksum and every index of an image.
    ///
    /// Exit codes: 0 the image is whole; 2 it is not, or is no image.
    Verify {
        /// The image.
        #[arg(value_name = "IMAGE", value_hint = ValueHint::FilePath)]
        image: PathBuf,
    },
    /// Show a signature decoded for a person: what it looks for, where, and in which objects.
    ///
    /// Exit codes: 0 it is shown; 2 there is no signature of that name.
    Explain {
        /// Its name, as a detection shows it.
        #[arg(value_name = "NAME", required_unless_present = "all")]
        name: Option<String>,
        /// Show every signature, one after the other.
        #[arg(long, conflicts_with = "name")]
        all: bool,
        #[command(flatten)]
        content: ContentArgs,
    },
}

/// Arguments of `dachs db profile`.
#[derive(Debug, Args)]
pub(crate) struct ProfileArgs {
    /// The form of the answer: a table with bars, or one JSON object.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: AnswerFormat,
    /// Write a page with plots as well; it needs no network and no script.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) html: Option<PathBuf>,
    /// How many rules are shown [default: 30 in the table, 500 in the page, all in JSON].
    #[arg(long, value_name = "N")]
    pub(crate) top: Option<usize>,
    #[command(flatten)]
    pub(crate) rules: RuleArgs,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
    /// A compiled image, a file of rules, or a folder of them.
    #[arg(value_name = "RULES", value_hint = ValueHint::AnyPath)]
    pub(crate) content: PathBuf,
    /// Files and folders to run the rules on.
    #[arg(required = true, value_name = "CORPUS", value_hint = ValueHint::AnyPath)]
    pub(crate) corpus: Vec<OsString>,
}

/// Reads a command line; help and mistakes come back as clap's error.
///
/// # Errors
/// What clap has to say.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(arguments)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    /// Every option says what it is for, in help and so in the manual.
    #[test]
    fn everything_has_help() {
        fn check(command: &clap::Command) {
            assert!(command.get_about().is_some(), "{} has no help", command.get_name());
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "{} {} has no help", command.get_name(), argument.get_id());
            }
            command.get_subcommands().for_each(check);
        }
        check(&Cli::command());
    }
}
