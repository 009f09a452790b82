// What this session manager promises as a store; docs/adapters.md says what each word means.
import { KEEPS, KINDS, ROLES } from "./values.mjs";

export const CLAIMS = {
  keeps: KEEPS, roles: ROLES, kinds: KINDS, validates: true, missing_session: "refuses",
  atomic_batches: true, handles: "processes", writers: 8, concurrent_readers: true,
  consistency: "linearizable", durability: "power", seq_start: 1, seq_after_delete: "never",
  private_files: true, activity: ["append"], after_expiry: "gone", access_step_us: 60_000_000,
};
