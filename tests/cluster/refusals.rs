//! Nodes that do not belong together.

use steward_tests::wait::until;

use steward_tests::nodes::Nodes;

#[tokio::test(flavor = "multi_thread")]
async fn a_node_with_another_secret_is_refused_and_both_sides_say_why() {
    let mut nodes = Nodes::started(2, &[]).await;
    let folder = tempfile::tempdir().expect("a folder");
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "the secret of another cluster").expect("a secret");
    let stranger = nodes.join(&["--cluster-secret-file", &secret.display().to_string()]);
    nodes.host(stranger).spawn().expect("a process");
    let member = nodes.host(0).client().clone();
    let told = until("the member says so", || {
        let member = member.clone();
        async move {
            let group = member.get("/core/node-groups/default").await.json();
            let problems = group["problems"].as_array()?.clone();
            problems
                .iter()
                .filter_map(|problem| problem.as_str())
                .find(|problem| problem.contains("secret"))
                .map(str::to_owned)
        }
    })
    .await;
    assert!(told.contains("host-2"), "{told}");
    assert!(nodes.host(0).log().contains("cluster secret"), "the member's log says so");
    let outsider = nodes.host(stranger).client().clone();
    until("the stranger says so", || {
        let outsider = outsider.clone();
        async move {
            let answer = outsider.send(http::Method::GET, "/health/ready", &[], "").await.ok()?.json();
            answer["detail"].as_str()?.contains("cluster secret").then_some(())
        }
    })
    .await;
    assert!(nodes.host(stranger).log().contains("cluster secret"), "the stranger's log says so");
    assert_eq!(nodes.group(0).await.expect("an answer")["nodes"].as_object().map(serde_json::Map::len), Some(2));
}
