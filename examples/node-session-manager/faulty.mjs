// The faults of the design from which this session manager comes, put back one by one or together.
// Never use them: they are here to show that the suites find them.
import { createHash } from "node:crypto";
import { SessionManager, now } from "./session-manager.mjs";

const SECOND_US = 1_000_000;

/** Whoever begins with the same words is in the same session. */
const sharing = (Manager) => class extends Manager {
  createSession(firstUserMessage = null, { sessionId = null, chatId = null } = {}) {
    const isOurs = sessionId === null && firstUserMessage !== null;
    const named = isOurs ? this.generateSessionId(firstUserMessage) : sessionId;
    const shared = isOurs && this.getSession(named);
    return shared || super.createSession(firstUserMessage, { sessionId: named, chatId });
  }

  create(sessionId = null, messages = []) {
    const named = createHash("md5").update(JSON.stringify(messages[0] ?? null)).digest("hex");
    if (sessionId === null && this.getSession(named)) return named;
    return super.create(sessionId ?? named, messages);
  }
};

/** To look at a session that is over removes it. */
const removing = (Manager) => class extends Manager {
  getSession(sessionId) {
    const found = super.getSession(sessionId);
    if (!found) this.deleteSession(sessionId);
    return found;
  }
};

/** Its times are whole seconds. */
const coarse = (Manager) => class extends Manager {
  constructor(directory, { clock = now, ...options } = {}) {
    super(directory, { ...options, clock: () => Math.trunc(clock() / SECOND_US) * SECOND_US });
  }
};

const FAULTS = { "--md5-ids": sharing, "--reads-remove": removing, "--whole-seconds": coarse };

/** The session manager with these faults; `--faulty` is all of them. */
export function managerWith(faults) {
  const all = faults.includes("--faulty") ? Object.keys(FAULTS) : faults;
  const unknown = all.find((fault) => !Object.hasOwn(FAULTS, fault));
  if (unknown !== undefined) {
    console.error(`${unknown} is no fault: use --faulty, or ${Object.keys(FAULTS).join(", ")}`);
    process.exit(2);
  }
  return all.reduce((Manager, fault) => FAULTS[fault](Manager), SessionManager);
}
