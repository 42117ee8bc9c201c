//! `completion`: what a shell needs to complete the command.

use clap::Args;
use clap_complete::Shell;

use crate::failure::Failure;
use crate::output::Output;
use crate::table::text;

/// Print the completion script of a shell
#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  ledgerstone completion bash > ~/.local/share/bash-completion/completions/ledgerstone
  ledgerstone completion zsh > ~/.zfunc/_ledgerstone
  ledgerstone completion fish > ~/.config/fish/completions/ledgerstone.fish")]
pub(crate) struct Arguments {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

impl Arguments {
    pub(crate) fn run(&self, out: &mut Output) -> Result<i32, Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut crate::arguments::command(), "ledgerstone", &mut script);
        let script = String::from_utf8_lossy(&script);
        if out.is_json() {
            out.object([("shell", text(self.shell)), ("script", text(script))])?;
        } else {
            out.text(&script)?;
        }
        Ok(0)
    }
}
