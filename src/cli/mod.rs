//! The command line: `fengate [serve]`, `fengate sandbox`, `fengate check`, `fengate reconcile`,
//! `fengate key new`. The one place that talks to people on a terminal.

mod reconcile;
mod sandbox;
mod serve;
mod welcome;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};

use crate::app::connectors;
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::routes::{self, Routes};

/// An OpenAI-compatible reverse proxy that turns a conversation or a function call into a real WeChat Pay order.
#[derive(Debug, Parser)]
#[command(
    name = "fengate",
    version,
    about,
    after_help = "Without a command fengate serves. Logs go to stderr; FENGATE_LOG=debug says more, FENGATE_LOG=warn less."
)]
struct Arguments {
    /// The file that says what may be asked for, by whom, and where it goes.
    #[arg(long, short, global = true, value_name = "PATH", default_value = "routes.toml", env = "FENGATE_CONFIG")]
    config: PathBuf,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve (the default): the public listener, the admin listener and, where it is configured, the sandbox.
    Serve {
        /// How logs are written.
        #[arg(long, value_enum, default_value_t = serve::LogFormat::Text)]
        log: serve::LogFormat,
    },
    /// WeChat Pay v3 on this machine, on its own: for whoever has only an SDK. Needs no routes.toml.
    Sandbox(sandbox::SandboxArguments),
    /// Check routes.toml: every fault at once, each with its line.
    Check,
    /// Compare a day's trade bill with the ledger, to the fen. Exit code 1 if they differ, 2 if they could not be compared.
    Reconcile(reconcile::ReconcileArguments),
    /// Keys of callers.
    Key {
        #[command(subcommand)]
        command: KeyCommand,
    },
}

#[derive(Debug, Subcommand)]
enum KeyCommand {
    /// Make a key; routes.toml keeps only its hash.
    New,
}

/// Runs the command line.
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match arguments.command.unwrap_or(Command::Serve { log: serve::LogFormat::Text }) {
        Command::Serve { log } => load(&arguments.config).and_then(|routes| serve::serve(routes, log)),
        Command::Sandbox(arguments) => sandbox::serve(arguments),
        Command::Check => check(&arguments.config),
        Command::Reconcile(wanted) => return reconcile::reconcile(&arguments.config, &wanted),
        Command::Key { command: KeyCommand::New } => key_new(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            complain(&e);
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stderr, reason = "this is where people are talked to")]
fn complain(error: &anyhow::Error) {
    eprintln!("fengate: {error:#}");
}

/// A word about what is going on, beside the answer.
#[expect(clippy::print_stderr, reason = "this is where people are talked to")]
fn note(text: &str) {
    eprintln!("{text}");
}

#[expect(clippy::print_stdout, reason = "this is where people are talked to")]
fn say(text: &str) {
    println!("{text}");
}

fn load(config: &std::path::Path) -> anyhow::Result<Routes> {
    routes::load(config).map_err(|faults| match faults.0.len() {
        1 => anyhow::anyhow!("{faults}"),
        count => anyhow::anyhow!("{count} faults\n{faults}"),
    })
}

fn check(config: &std::path::Path) -> anyhow::Result<()> {
    let routes = load(config)?;
    // Keys that cannot be read would only be found at start otherwise. Nothing is sent.
    connectors(&routes, None, &Clock::system(), &Metrics::new()?)?;
    let count = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    say(&format!(
        "{} is fine: {}, {}, {}, {}{}.",
        config.display(),
        count(routes.providers.len(), "provider"),
        count(routes.models.len(), "model"),
        count(routes.functions.len(), "function"),
        count(routes.merchants.len(), "merchant"),
        if routes.sandbox.is_some() { ", with a sandbox" } else { "" },
    ));
    Ok(())
}

fn key_new() -> anyhow::Result<()> {
    let (key, line) = routes::new_key().context("this system gives no random numbers")?;
    say(&format!(
        "Give this to the merchant; it is shown once and kept nowhere:\n\n  {key}\n\nPut this into its [[merchant]] in routes.toml, and restart fengate:\n\n  keys = [\"{line}\"]"
    ));
    Ok(())
}
