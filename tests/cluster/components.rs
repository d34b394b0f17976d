//! HTTP components on several nodes.

use steward_tests::guests::{self, Progress};
use steward_tests::nodes::Nodes;

#[tokio::test(flavor = "multi_thread")]
async fn an_http_component_answers_on_whichever_node_a_request_came_to() {
    let nodes = Nodes::started(3, &[]).await;
    let build = || guests::build(&["proxy"], &Progress::hidden());
    let built = tokio::task::spawn_blocking(build).await.expect("no panic").expect("the guest builds");
    let component = std::fs::read(&built[0].path).expect("a component");
    nodes.client(1).deploy(&component, Some("/apps/x")).await;
    for client in nodes.clients() {
        let answer = client.get("/apps/x/a").await.expect(418);
        assert!(answer.body.starts_with(b"GET /a\n"), "{answer:?}");
        let factory = client.get("/core/factories/apps/x").await.expect(200).json();
        assert_eq!((&factory["moduleName"], &factory["available"]), (&"x".into(), &true.into()), "{factory}");
    }
}
