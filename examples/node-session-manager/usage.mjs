// A day of the session manager, in a folder of its own: node usage.mjs
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { SessionManager, now } from "./session-manager.mjs";

const MINUTE_US = 60_000_000;
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "sessions-"));
let ahead = 0; // of the machine's clock, so that nobody has to wait
const clock = () => now() + ahead;
const told = (call) => {
  try {
    return call();
  } catch (error) {
    return `${error.type}: ${error.message}`;
  }
};

let manager = new SessionManager(folder, { clock });
const [anna, bert] = ["Anna", "Bert"].map((chatId) => manager.createSession("hi", { chatId }));
console.log("Both say hi, and share a session:", anna.sessionId === bert.sessionId);
console.log("as they would by the digest", manager.generateSessionId("hi"));

manager.append(anna.sessionId, [
  { role: "user", content: "hi", tokens: 1 },
  { role: "assistant", content: "Hello! What can I do for you?", tokens: 9 },
]);
console.log("Anna's session is new:", manager.isNewSession(anna.sessionId));
manager.updateParentId(anna.sessionId, "message-2");
manager.updateSession(anna.sessionId, { metadata: { plan: "free" } });
console.log("after an answer it is:", manager.isNewSession(anna.sessionId));
for (const { role, content } of manager.read(anna.sessionId)) console.log(`  ${role}: ${content}`);
console.log("It has", manager.get(anna.sessionId).total_tokens, "tokens, Bert's has",
  manager.count(bert.sessionId), "messages");

ahead += 25 * MINUTE_US;
console.log("After 25 minutes Anna comes back:", manager.getSession(anna.sessionId).metadata);
ahead += 10 * MINUTE_US;
console.log("After 35 Bert's session is", manager.getSession(bert.sessionId));
console.log(manager.getActiveSessions().length, "is active,", manager.getSessionCount(), "are kept");
console.log("The clean-up removes", manager.cleanup());

manager.shutdown();
console.log("Shut down, it says", told(() => manager.getSessionCount()));
manager = new SessionManager(folder, { clock });
console.log("A new one finds", manager.getSession(anna.sessionId).chatId, "again");
console.log("The id is taken,", told(() => manager.create(anna.sessionId)));
const { created, deleted, expired, active, total } = manager.getMetrics();
console.log("It counted", { created, deleted, expired }, "and has", { active, total });
manager.shutdown();
fs.rmSync(folder, { recursive: true });
