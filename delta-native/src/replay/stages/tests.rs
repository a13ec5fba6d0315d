use super::*;
use crate::sample;

fn all() -> Stages {
    Stages {
        workers: Some(3),
        filter: Some("op=insert+update,slot%3=1".parse().unwrap()),
        project: Some(16),
        route: Some(2),
        route_by: RouteBy::Hash,
        gate: Some(GateConfig::BALANCED),
        compact: true,
        chaos: Some(7),
    }
}

#[test]
fn every_stage_ends_where_the_primary_is() {
    for stream in sample::streams().unwrap() {
        let reports = run_stages(&stream, &all()).unwrap();
        let names: Vec<_> = reports.iter().map(|report| report.stage).collect();
        assert_eq!(names, ["workers", "derived", "gate", "compact", "chaos"]);
        for report in &reports {
            assert!(report.identical, "{}: {report:?}", stream.name());
        }
        assert!(reports[4].summary.ends_with(" 0 escaped"));
    }
}

#[test]
fn no_stage_is_run_unasked() {
    let stream = &sample::streams().unwrap()[0];
    assert!(run_stages(stream, &Stages::default()).unwrap().is_empty());
}

#[test]
fn a_filter_says_what_it_does_not_understand() {
    for text in [
        "",
        "slot=1",
        "slot%0=0",
        "slot%2=2",
        "op=upsert",
        "size%2=1",
        "id",
    ] {
        let error = text.parse::<Filter>().unwrap_err().to_string();
        assert!(error.contains("is no filter"), "{error}");
    }
    assert!("op=delete,hash%4=3,id=a=b".parse::<Filter>().is_ok());
}
