//! Whether the host still has each module and factory whose deployment was acknowledged.

use anyhow::{Context, ensure};
use http::Method;
use serde_json::json;
use steward_tests::client::{Answer, Client};

/// A module of its own kind, and the path where it is mounted.
#[derive(Debug, Clone)]
struct Deployed {
    digest: String,
    path: String,
    /// Mounting it was acknowledged; otherwise only that it was stored.
    is_mounted: bool,
}

pub(crate) struct Deployments {
    component: Vec<u8>,
    sent: u64,
    known: Vec<Deployed>,
}

impl Deployments {
    /// Returns none yet, of variants of a component.
    pub(crate) fn new(component: Vec<u8>) -> Deployments {
        Deployments { component, sent: 0, known: Vec::new() }
    }

    /// Returns how many modules were acknowledged.
    pub(crate) fn acknowledged(&self) -> usize {
        self.known.len()
    }

    /// Deploys modules until the host answers no more.
    pub(crate) async fn deploy(&mut self, client: &Client) {
        while self.deploy_one(client).await.is_some() {}
    }

    /// Deploys one module. Returns nothing if an answer does not come, or is that the host failed.
    pub(crate) async fn deploy_one(&mut self, client: &Client) -> Option<()> {
        self.sent += 1;
        let bytes = variant(&self.component, self.sent);
        let stored = acknowledged(client, "/core/modules", "application/wasm", bytes).await?.json();
        let digest = stored["digest"].as_str()?.to_owned();
        let path = format!("/core/deployed-{}", self.sent);
        let mount = json!({ "documentSelfLink": path, "moduleDigest": digest }).to_string();
        self.known.push(Deployed { digest, path, is_mounted: false });
        acknowledged(client, "/core/factories", "application/json", mount.into_bytes()).await?;
        if let Some(newest) = self.known.last_mut() {
            newest.is_mounted = true;
        }
        Some(())
    }

    /// Compares what was acknowledged with what the host has.
    ///
    /// # Errors
    /// The first thing that is missing or does not work.
    pub(crate) async fn check(&self, client: &Client) -> anyhow::Result<()> {
        for deployed in &self.known {
            let module = client.get(&format!("/core/modules/{}", deployed.digest)).await;
            ensure!(module.status == 200, "module of {deployed:?} is lost: {}", module.status);
            if !deployed.is_mounted {
                continue;
            }
            let made = client.post(&deployed.path, &json!({})).await;
            ensure!(made.status == 201, "{deployed:?} does not work: {} {:?}", made.status, made.body);
            let link = made.json()["documentSelfLink"].as_str().context("a link")?.to_owned();
            client.delete(&link).await.expect(200);
        }
        Ok(())
    }
}

async fn acknowledged(client: &Client, path: &str, media_type: &str, body: Vec<u8>) -> Option<Answer> {
    let answer = client.send(Method::POST, path, &[("content-type", media_type)], body).await.ok()?;
    assert!(answer.status == 201 || answer.status.is_server_error(), "{path}: {answer:?}");
    (answer.status == 201).then_some(answer)
}

/// Returns a component that does the same and has another digest: with a custom section behind it.
fn variant(component: &[u8], number: u64) -> Vec<u8> {
    let content = number.to_be_bytes();
    let name = b"variant";
    let mut bytes = component.to_vec();
    bytes.extend([0, (1 + name.len() + content.len()) as u8, name.len() as u8]);
    bytes.extend(name);
    bytes.extend(content);
    bytes
}
