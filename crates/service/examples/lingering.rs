//! A service that does as it is told by its first argument, to try the way from start to stop out on.

use std::process::ExitCode;

use service::Binary;

fn main() -> ExitCode {
    let behaviour = std::env::args().nth(1);
    service::main(
        Binary::Sandbox,
        |_| (),
        |context, ()| async move {
            context.listening(None)?;
            context.started();
            match behaviour.as_deref() {
                Some("ends-unasked") => Ok(()),
                Some("fails") => Err(anyhow::anyhow!("the cause").context("the effect")),
                Some("panics") => {
                    let task = tokio::spawn(async { panic!("a task's panic") });
                    task.await?;
                    Ok(())
                }
                Some("ignores-the-signal") => std::future::pending().await,
                _ => {
                    context.shutdown.cancelled().await;
                    Ok(())
                }
            }
        },
    )
}
