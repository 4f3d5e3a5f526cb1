//! What stands under the help of commands whose own files are short: examples, and what else one asks.

pub const RUN: &str = "Examples:\n  \
    deliveryd run --config config/default.toml\n  \
    deliveryd run --config FILE --set groups.orders.members=3 --set log.level=debug\n  \
    deliveryd run --config FILE --log-format json";

pub const CHECK: &str = "Examples:\n  \
    deliveryd check --config config/kafka.toml\n  \
    deliveryd check --config FILE --set groups.orders.members=3\n\n\
    It asks no broker. The exit code is 0 where all is good, and 78 where something is wrong.";

pub const TEST: &str = "Examples:\n  \
    deliveryd test                                   all below the folder handlers\n  \
    deliveryd test handlers/print_delivery.rhai      of one handler\n  \
    deliveryd test handlers --filter tombstone\n  \
    deliveryd test --watch                           again whenever a file is saved\n  \
    deliveryd test --from-topic Delivery --last 100 --config FILE --group orders";

pub const CONFIG_SHOW: &str = "Examples:\n  \
    deliveryd config show --config FILE\n  \
    DELIVERYD_KAFKA__BROKERS=localhost:9092 deliveryd config show --config FILE\n\n\
    Each value stands with the layer that it came from. Secrets are masked.";

pub const CONFIG_SCHEMA: &str = "Examples:\n  \
    deliveryd config schema > config/deliveryd.schema.json\n\n\
    The first line of a configuration names it for editors: #:schema deliveryd.schema.json";

pub const INIT: &str = "Examples:\n  \
    deliveryd init my-deliveries\n  \
    deliveryd --config my-deliveries/deliveryd.toml\n\n\
    What is there already is not overwritten.";

pub const MAN: &str = "Examples:\n  \
    deliveryd man | man -l -\n  \
    deliveryd man --dir ~/.local/share/man/man1      and a page for each command";

pub const STATUS: &str = "Examples:\n  \
    deliveryd status\n  \
    deliveryd status --json | jq '.groups[].members[].state'\n  \
    deliveryd status --control /run/deliveryd/control.sock";

pub const PLAN: &str = "Examples:\n  \
    deliveryd plan\n  \
    deliveryd plan --config FILE        of the daemon that runs this configuration\n\n\
    + comes, - goes, ~ changes, ! is refused. The exit code is 78 where a reload would be refused.";

pub const RELOAD: &str = "Examples:\n  \
    deliveryd reload\n  \
    deliveryd plan && deliveryd reload\n\n\
    The exit code is 0 when it is in force, and 78 where it was refused and what ran goes on.";

pub const HANDLERS_DOC: &str = "Examples:\n  \
    deliveryd handlers doc emit\n  \
    deliveryd handlers doc msg.json\n  \
    deliveryd handlers doc | less";

pub const HANDLERS_DEFINITIONS: &str = "Examples:\n  \
    deliveryd handlers definitions definitions\n\n\
    The Rhai language server finds the files by their name, *.d.rhai.";
