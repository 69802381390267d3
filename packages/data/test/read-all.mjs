// Reads a table to its end and keeps nothing: `node read-all.mjs FILE ROWS` prints rows, letters of the column `sequence`, and the memory, in MB:
// the most in the first quarter of so many rows, and after it.
import { openTable } from "@torte/data";

const [path, expected] = process.argv.slice(2);
const { columns, batches } = await openTable(path);
const place = columns.indexOf("sequence");
let [rows, letters, quarter, most] = [0, 0, 0, 0];
for await (const batch of batches) {
  rows += batch.rows.length;
  for (const row of batch.rows) letters += String(row[place]).length;
  const memory = process.memoryUsage.rss() / 1e6;
  if (rows < Number(expected) / 4) quarter = Math.max(quarter, memory);
  else most = Math.max(most, memory);
}
console.log(JSON.stringify({ rows, letters, quarter: Math.round(quarter), most: Math.round(most) }));
