//! Reads as much of Prometheus' language as the alert rules use, and refuses the rest: whatever it takes, Prometheus takes.

/// What is asked for in an expression: a metric, and the labels by which it is narrowed or grouped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) metric: String,
    pub(crate) labels: Vec<String>,
}

/// What an alert's expression asks for.
///
/// # Errors
/// It is no such expression, or holds always: it compares nothing.
pub(crate) fn read(text: &str) -> Result<Vec<Asked>, String> {
    let mut reader = Reader { rest: text, asked: Vec::new(), compares: false };
    reader.alternatives()?;
    match (reader.rest.trim(), reader.compares) {
        ("", true) => Ok(reader.asked),
        ("", false) => Err("it compares nothing".to_owned()),
        (rest, _) => Err(format!("what is {rest:?}?")),
    }
}

struct Reader<'a> {
    rest: &'a str,
    asked: Vec<Asked>,
    compares: bool,
}

const AGGREGATIONS: [&str; 3] = ["sum", "max", "min"];
const OF_RANGES: [&str; 2] = ["rate", "increase"];

impl Reader<'_> {
    fn takes(&mut self, token: &str) -> bool {
        let rest = self.rest.trim_start();
        let is_word = token.chars().all(char::is_alphabetic);
        let taken = rest.strip_prefix(token).filter(|rest| !is_word || !rest.starts_with(char::is_alphanumeric));
        taken.map(|rest| self.rest = rest).is_some()
    }

    fn expect(&mut self, token: &str) -> Result<(), String> {
        if self.takes(token) { Ok(()) } else { Err(format!("{token:?} is missing before {:?}", self.rest)) }
    }

    fn while_in(&mut self, letters: impl Fn(char) -> bool) -> &str {
        let rest = self.rest.trim_start();
        let (taken, rest) = rest.split_at(rest.find(|letter| !letters(letter)).unwrap_or(rest.len()));
        self.rest = rest;
        taken
    }

    fn word(&mut self) -> Result<String, String> {
        let word = self.while_in(|letter| letter.is_ascii_alphanumeric() || letter == '_').to_owned();
        if word.is_empty() { Err(format!("a name is missing before {:?}", self.rest)) } else { Ok(word) }
    }

    fn alternatives(&mut self) -> Result<(), String> {
        self.comparison()?;
        while self.takes("or") || self.takes("and") {
            self.comparison()?;
        }
        Ok(())
    }

    fn comparison(&mut self) -> Result<(), String> {
        self.quotient()?;
        if [">=", "<=", "==", "!=", ">", "<"].iter().any(|sign| self.takes(sign)) {
            self.compares = true;
            self.quotient()?;
        }
        Ok(())
    }

    fn quotient(&mut self) -> Result<(), String> {
        self.value()?;
        while self.takes("/") || self.takes("*") {
            self.value()?;
        }
        Ok(())
    }

    fn value(&mut self) -> Result<(), String> {
        if self.rest.trim_start().starts_with(|first: char| first.is_ascii_digit()) {
            let number = self.while_in(|letter| letter.is_ascii_digit() || letter == '.').to_owned();
            return number.parse::<f64>().map(|_| ()).map_err(|_| format!("{number} is no number"));
        }
        if self.takes("(") {
            self.alternatives()?;
            return self.expect(")");
        }
        let word = self.word()?;
        if AGGREGATIONS.contains(&word.as_str()) {
            let by = if self.takes("by") { self.labels()? } else { Vec::new() };
            let before = self.asked.len();
            self.expect("(")?;
            self.alternatives()?;
            for asked in &mut self.asked[before..] {
                asked.labels.extend(by.iter().cloned());
            }
            return self.expect(")");
        }
        if OF_RANGES.contains(&word.as_str()) {
            self.expect("(")?;
            let metric = self.word()?;
            self.selected(metric)?;
            self.expect("[")?;
            let span = self.word()?;
            let number = span.strip_suffix(['s', 'm', 'h', 'd']).and_then(|number| number.parse::<u32>().ok());
            number.filter(|number| *number > 0).ok_or_else(|| format!("{span} is no time"))?;
            self.expect("]")?;
            return self.expect(")");
        }
        self.selected(word)
    }

    fn labels(&mut self) -> Result<Vec<String>, String> {
        self.expect("(")?;
        let mut labels = vec![self.word()?];
        while self.takes(",") {
            labels.push(self.word()?);
        }
        self.expect(")")?;
        Ok(labels)
    }

    fn selected(&mut self, metric: String) -> Result<(), String> {
        let mut labels = Vec::new();
        if self.takes("{") {
            loop {
                labels.push(self.word()?);
                if !["=~", "!~", "!=", "="].iter().any(|sign| self.takes(sign)) {
                    return Err(format!("a label is compared with nothing before {:?}", self.rest));
                }
                self.expect("\"")?;
                let value = self.while_in(|letter| letter != '"').to_owned();
                self.expect("\"")?;
                if value.is_empty() {
                    return Err("a label is compared with nothing".to_owned());
                }
                if !self.takes(",") {
                    break;
                }
            }
            self.expect("}")?;
        }
        self.asked.push(Asked { metric, labels });
        Ok(())
    }
}

#[test]
fn what_prometheus_would_refuse_is_refused() {
    for (wrong, why) in [
        ("max(erp_health)", "compares nothing"),
        ("max(erp_health > 0", "\")\" is missing"),
        ("max(erp_health)) > 0", "what is"),
        ("rate(erp_job_runs_total) > 0", "\"[\" is missing"),
        ("rate(erp_job_runs_total[1 h]) > 0", "is no time"),
        ("max by kind (erp_alerts_open) > 0", "\"(\" is missing"),
        ("erp_alerts_open{kind=duplicate} > 0", "\"\\\"\" is missing"),
        ("erp_alerts_open{kind} > 0", "compared with nothing"),
        ("erp_health > 0.0.1", "is no number"),
        ("erp_health > ", "a name is missing"),
    ] {
        let refused = read(wrong).expect_err(wrong);
        assert!(refused.contains(why), "{wrong}: {refused}");
    }
    let read = read("sum by (job) (increase(erp_job_runs_total{result=\"failed\"}[1h])) / 2 > 2 or erp_health > 0")
        .expect("it is one");
    let asked = |metric: &str, labels: &[&str]| Asked {
        metric: metric.to_owned(),
        labels: labels.iter().map(|label| (*label).to_owned()).collect(),
    };
    assert_eq!(read, [asked("erp_job_runs_total", &["result", "job"]), asked("erp_health", &[])]);
}
