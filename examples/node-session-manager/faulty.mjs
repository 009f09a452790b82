// The session manager with the faults of the design from which it comes. Never use it: it is here
// to show that the suites find them. docs/errata.md tells what they do to a chat.
import { createHash } from "node:crypto";
import { SessionManager, now } from "./session-manager.mjs";

const SECOND_US = 1_000_000;

export class FaultyManager extends SessionManager {
  constructor(directory, { clock = now, ...options } = {}) {
    super(directory, { ...options, clock: () => Math.trunc(clock() / SECOND_US) * SECOND_US });
  }

  /** Whoever begins with the same words is in the same session. */
  createSession(firstUserMessage = null, { sessionId = null, chatId = null } = {}) {
    const named = sessionId ?? (firstUserMessage && this.generateSessionId(firstUserMessage));
    const shared = named && this.getSession(named);
    return shared || super.createSession(firstUserMessage, { sessionId: named, chatId });
  }

  /** The same, of a session with its first messages. */
  create(sessionId = null, messages = []) {
    const named = sessionId ?? createHash("md5").update(JSON.stringify(messages[0])).digest("hex");
    return sessionId === null && this.getSession(named) ? named : super.create(named, messages);
  }

  /** To look at a session that is over removes it. */
  getSession(sessionId) {
    const found = super.getSession(sessionId);
    if (!found) this.deleteSession(sessionId);
    return found;
  }
}
