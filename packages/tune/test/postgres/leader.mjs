// Leads a study whose trials workers take from a database.
import { lead } from "../kill/lead.mjs";

const [folder, url, trials] = process.argv.slice(2);
await lead(folder, trials, url === "" ? {} : { storage: { url, study: "killed", lease: 5 } });
