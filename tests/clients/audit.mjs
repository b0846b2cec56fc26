// Runs the audit of GraphQL over HTTP against a server; one JSON object a line.
// node audit.mjs URL
import { auditServer } from "graphql-http";

for (const found of await auditServer({ url: process.argv[2], fetchFn: fetch })) {
  const { id, name, status, reason } = found;
  console.log(JSON.stringify({ id, name, status, reason }));
}
