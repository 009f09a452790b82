-- Sessions that a sweep has ended, for whoever removes them: found without looking at all others.

CREATE INDEX sessions_by_end ON sessions (status) WHERE status = 'expired';
