//! What the operator's API asks of a running broker.

use super::*;

impl Control for Running {
    fn status(&self) -> Status {
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            started_at: signet_admin::date(self.started_at),
            listeners: self.listening(),
            connections: u64::try_from(self.live.registry.len()).unwrap_or(u64::MAX),
            revoked: u64::try_from(self.live.revocations.load().len()).unwrap_or(u64::MAX),
        }
    }

    fn numbers(&self) -> Numbers {
        Numbers { series: self.telemetry.numbers().into_iter().collect() }
    }

    fn explain(&self, request: &Explain) -> Result<Explained, Problem> {
        let stopping = || Problem::new(ProblemKind::Failed, "the broker is stopping");
        let looked = answers::explain::look(
            self.state().server.as_ref().ok_or_else(stopping)?,
            &|name| self.administration.chain_of(name),
            request,
        )?;
        // Others may take their time; nobody else waits for them meanwhile.
        let vouched = answers::explain::vouch(looked, &self.vouchers, request);
        Ok(answers::explain::finish(self.state().server.as_ref().ok_or_else(stopping)?, vouched, request))
    }

    fn refusals(&self, query: &RefusalQuery) -> Vec<RefusedClient> {
        let book = self.state().server.as_ref().map(ServerHandle::refusals);
        book.map_or_else(Vec::new, |book| answers::refusals::refusals(&book, query))
    }

    fn held_off(&self) -> Vec<HeldOffClient> {
        self.state().server.as_ref().map_or_else(Vec::new, answers::abuse::held_off)
    }

    fn forgive(&self, request: &Forgive) -> Result<ForgiveReport, Problem> {
        let state = self.state();
        let server = state.server.as_ref().ok_or_else(|| Problem::new(ProblemKind::Failed, "the broker is stopping"))?;
        answers::abuse::forgive(server, request)
    }

    fn authenticators(&self) -> Vec<AuthenticatorState> {
        self.vouchers.reports().iter().map(answers::authenticators::state).collect()
    }

    fn forget_answers(&self, request: &ForgetAnswers) -> Result<ForgetReport, Problem> {
        let forgotten = self.vouchers.forget(request.name.as_deref());
        if forgotten == 0
            && let Some(name) = &request.name
        {
            let problem = Problem::new(ProblemKind::NotFound, format!("nobody who is asked about clients is called `{name}`"));
            return Err(problem.with_hint("`signet auth list` shows who is"));
        }
        // What connected clients may do comes from the same answers.
        if let Some(server) = &self.state().server {
            server.rules_changed();
        }
        Ok(ForgetReport { forgotten })
    }

    fn trust(&self) -> Vec<TrustProfile> {
        self.state().server.as_ref().map_or_else(Vec::new, |server| answers::trust::profiles(server, &self.sources))
    }

    fn sources(&self) -> Vec<RevocationSource> {
        answers::sources::report(&self.sources, unix_seconds())
    }

    fn refresh(&self, request: &RefreshSources) -> Result<RefreshReport, Problem> {
        answers::sources::refresh(&self.sources, request)
    }

    fn reload(&self) -> Result<ReloadReport, Problem> {
        let origin = &self.started_with.source.origin;
        let path = origin.path();
        let report = match config::load(origin, unix_seconds()) {
            Ok(config) => self.apply(config.with_key_log(self.started_with.source.key_log.as_deref())),
            Err(ConfigError::Unreadable(failure)) => Err(Problem::new(ProblemKind::Failed, failure.message)),
            Err(ConfigError::Problems(problems)) => {
                for problem in &problems {
                    tracing::error!("{}", problem.in_one_line());
                }
                let message = format!("`{}` has {}", path.display(), given::counted(problems.len(), "problem"));
                Err(Problem::new(ProblemKind::Invalid, message).with_hint(format!("`signet check -c {}` shows them", path.display())))
            }
        };
        match &report {
            Ok(report) => {
                tracing::info!(applied = report.applied.join(", "), "configuration reloaded");
                for change in &report.needs_restart {
                    tracing::warn!("{change}: takes effect at the next start only");
                }
            }
            Err(problem) => tracing::error!("reload refused, everything stays as it was: {problem}"),
        }
        report
    }
}
