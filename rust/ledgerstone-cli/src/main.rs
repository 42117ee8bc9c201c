//! The command `ledgerstone`.

fn main() -> std::process::ExitCode {
    let arguments: Option<Vec<String>> = std::env::args_os().map(|argument| argument.into_string().ok()).collect();
    let code = match arguments {
        Some(arguments) => ledgerstone_cli::main(&arguments),
        None => {
            eprintln!("error: an argument is not UTF-8 text");
            2
        }
    };
    u8::try_from(code).map_or(std::process::ExitCode::FAILURE, std::process::ExitCode::from)
}
