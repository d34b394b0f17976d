//! A service without state: it answers everything at and below its path.
use steward_sdk::prelude::*;

/// The service.
pub struct Greeting;

#[service(factory = "/greeting", options(STATELESS))]
impl Greeting {
    fn handle_get(ctx: &mut Context) -> Result<Reply> {
        Reply::json(&json!({ "hello": ctx.key(), "at": ctx.link() }))
    }

    fn handle_post(#[field(min_length = 1)] name: String) -> Result<Reply> {
        ensure!(name != "nobody", forbidden("nobody is not greeted"));
        Ok(Reply::json(&json!({ "hello": name }))?.with_status(201))
    }
}
