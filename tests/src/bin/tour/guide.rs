//! What the tours print: numbered steps, requests as lines for curl, their answers.

use std::io::IsTerminal;

use http::Method;
use serde_json::Value;
use steward_tests::client::{Answer, Client};

/// Longest line of an answer that is shown, in characters.
const SHOWN_CHARACTERS: usize = 220;

/// Prints the tour, step by step.
pub(crate) struct Guide {
    pub(crate) bold: (&'static str, &'static str),
    pub(crate) dim: (&'static str, &'static str),
    step: usize,
}

impl Guide {
    pub(crate) fn new() -> Guide {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        if plain || !std::io::stdout().is_terminal() {
            return Guide { bold: ("", ""), dim: ("", ""), step: 0 };
        }
        Guide { bold: ("\u{1b}[1m", "\u{1b}[0m"), dim: ("\u{1b}[2m", "\u{1b}[0m"), step: 0 }
    }

    pub(crate) fn step(&mut self, title: &str) {
        self.step += 1;
        println!("\n{}{}  {title}{}", self.bold.0, self.step, self.bold.1);
    }

    pub(crate) fn say(&self, text: &str) {
        println!("   {text}");
    }

    /// Sends a request, shows it as a curl line, and shows the answer.
    pub(crate) async fn ask(
        &self,
        client: &Client,
        method: Method,
        path: &str,
        body: &Value,
    ) -> anyhow::Result<Answer> {
        let shown = if method == Method::GET { String::new() } else { format!("-X {method} ") };
        let data = if body.is_null() { String::new() } else { format!(" --json '{body}'") };
        println!("   $ curl {shown}{}{path}{data}", client.base());
        let answer = client.with_headers(method, path, &[], body).await;
        let text = String::from_utf8_lossy(&answer.body);
        let cut = text.char_indices().nth(SHOWN_CHARACTERS).map_or(text.len(), |(at, _)| at);
        let rest = if cut < text.len() { " …" } else { "" };
        println!("     {}{} {}{rest}{}", self.dim.0, answer.status.as_u16(), &text[..cut], self.dim.1);
        Ok(answer)
    }
}
