//! `rollback`: makes the module of an earlier revision answer again, as a new revision. The states of documents do not
//! change.

use http::Method;
use serde_json::{Value, json};

use super::client::{Call, Client};
use super::error::{Exit, Failure};
use super::output::{Format, Terminal};
use super::services;
use super::views::{Factory, Revision, short_digest};

/// Makes an earlier revision of a factory answer again
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The module is rolled back, document state is not: documents that the newer
module wrote stay as they are, and the host refuses if the earlier module
cannot read them. The result is a new revision; none is ever rewritten.

Examples:
  steward rollback /core/counters              to what answered before
  steward rollback counter 5 -m \"7 is slow\"    to revision 5, by module name
  steward rollback /core/counters --dry-run")]
pub(super) struct Args {
    /// Path of the factory, or name of its module
    factory: String,
    /// Revision to return to [default: the last with another module]
    revision: Option<u64>,
    /// Why; kept with the new revision
    #[arg(short, long, value_name = "TEXT", default_value = "")]
    message: String,
    /// Only say what would happen
    #[arg(long)]
    dry_run: bool,
    /// Do it without asking
    #[arg(short, long, env = "STEWARD_YES", hide_env = true, value_parser = clap::builder::FalseyValueParser::new())]
    yes: bool,
}

/// Runs `rollback`.
///
/// # Errors
/// A failure if there is no such factory or revision, the host refuses, or nobody confirms.
pub(super) async fn run(args: &Args, client: &Client, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let factory = services::find(services::factories(client).await?, &args.factory)?;
    let target = target(&factory, args.revision)?;
    show_plan(&factory, target, terminal);
    let body = json!({
        "rollback": true, "revision": target.revision, "expectedRevision": factory.revision, "message": args.message,
    });
    let call = Call::new(Method::PATCH, &format!("/core/factories{}", factory.document_self_link))?.json(&body);
    // What the host would refuse is refused before anybody is asked.
    client.ask(&call.clone().query("dryRun", "true")).await?;
    if args.dry_run {
        terminal.say("the host would take this; nothing was changed");
        return Ok(Exit::Done);
    }
    terminal.confirm(&format!("Roll back on {}?", client.host()), args.yes)?;
    let answer = client.ask(&call).await?.json()?;
    let revision = answer.get("revision").and_then(Value::as_u64).unwrap_or(factory.revision + 1);
    if terminal.format == Format::Json {
        terminal.print_json(&json!({
            "type": "rollback.result", "schema": 1, "factory": factory.document_self_link, "revision": revision,
            "previous": factory.revision, "version": target.version, "digest": target.digest, "target": target.revision,
        }));
    } else {
        terminal.print(&format!("Rolled back: revision {revision} has the module of revision {}", target.revision));
    }
    Ok(Exit::Done)
}

fn target(factory: &Factory, wanted: Option<u64>) -> Result<&Revision, Failure> {
    let link = &factory.document_self_link;
    let see = || format!("see them: steward services {link}");
    let no_such = |message: String| Failure::new(Exit::NotFound, "no-such-revision", message).hint(see());
    let Some(number) = wanted else {
        // Revisions at which it was undeployed have no module.
        let earlier = |revision: &&Revision| {
            revision.revision < factory.revision && ![&factory.module_digest, ""].contains(&revision.digest.as_str())
        };
        let newest = factory.revisions.iter().filter(earlier).max_by_key(|revision| revision.revision);
        return newest.ok_or_else(|| no_such(format!("{link} never had another module")));
    };
    let found = factory.revision(number).ok_or_else(|| no_such(format!("{link} has no revision {number}")))?;
    if found.digest.is_empty() {
        return Err(no_such(format!("{link} had no module at revision {number}: it was undeployed then")));
    }
    if found.digest == factory.module_digest {
        let which = if number == factory.revision { "" } else { "the module of " };
        return Err(Failure::usage(format!("{which}revision {number} of {link} answers already")).hint(see()));
    }
    Ok(found)
}

fn show_plan(factory: &Factory, target: &Revision, terminal: &mut Terminal) {
    let when = terminal.time(Some(target.at_micros));
    let by = if target.by.is_empty() { String::new() } else { format!(" by {}", target.by) };
    terminal.say(&format!(
        "{}: revision {} → the module of revision {} (version {}, {}, activated {when}{by})",
        factory.document_self_link,
        factory.revision,
        target.revision,
        target.version,
        short_digest(&target.digest)
    ));
    terminal.say("Document state is NOT rolled back: documents stay as the newer module wrote them.");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn factory() -> Factory {
        let revision =
            |number, digest: &str| Revision { revision: number, digest: digest.to_owned(), ..Revision::default() };
        Factory {
            document_self_link: "/core/counters".to_owned(),
            module_digest: "b".to_owned(),
            revision: 5,
            revisions: vec![revision(1, "a"), revision(2, "c"), revision(3, "b"), revision(4, ""), revision(5, "b")],
            ..Factory::default()
        }
    }

    #[test]
    fn default_is_the_last_revision_with_another_module() {
        assert_eq!(target(&factory(), None).expect("there is one").revision, 2);
        assert_eq!(target(&factory(), Some(1)).expect("there is one").revision, 1);
    }

    #[test]
    fn revision_that_cannot_be_returned_to_is_refused() {
        for (number, exit, told) in [
            (5, Exit::Usage, "revision 5 of /core/counters answers already"),
            (3, Exit::Usage, "the module of revision 3 of /core/counters answers already"),
            (4, Exit::NotFound, "/core/counters had no module at revision 4: it was undeployed then"),
        ] {
            let refused = target(&factory(), Some(number)).expect_err("it cannot be");
            assert_eq!((refused.exit, refused.message.as_str()), (exit, told));
        }
        assert_eq!(target(&factory(), Some(9)).expect_err("it never was").exit, Exit::NotFound);
        let alone = Factory { revisions: Vec::new(), ..factory() };
        assert_eq!(target(&alone, None).expect_err("there is none").exit, Exit::NotFound);
    }
}
