// Leads a study whose trials workers take from a database.
import { lead } from "../kill/lead.mjs";

const [folder, url, trials, study = "killed"] = process.argv.slice(2);
await lead(folder, trials, url === "" ? {} : { storage: { url, study, lease: 5 } });
