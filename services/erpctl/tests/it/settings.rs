//! `erpctl settings`, and wrong settings.

use crate::erpctl::erpctl;

#[test]
fn the_table_of_settings_is_printed_as_in_the_readme() {
    let run = erpctl(&["settings"], &[]);
    assert_eq!((run.code, run.out), (0, service::settings::markdown_table()));
}

#[test]
fn wrong_settings_are_told_all_at_once_with_exit_status_2() {
    let run = erpctl(&["migrate"], &[("DATABASE_URL", "postgres:hunter2"), ("ERP_ROLE_PASWORD", "hunter2")]);
    assert_eq!(run.code, 2);
    let expected = "erpctl: erpctl cannot start: 2 mistakes in its environment variables.
  DATABASE_URL: its value (not shown here) can't be used; write a URL, like `postgres://role:password@host:5432/erp`
  ERP_ROLE_PASWORD: is not known; did you mean ERP_ROLE_PASSWORD?
";
    assert_eq!(run.err, expected);
}
