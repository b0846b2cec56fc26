// A partner tool's job with graphql-ws: keep a list of clusters up to date, also over a break.
// node graphql-ws.mjs URL TOKEN
import { createClient } from "graphql-ws";
import WebSocket from "ws";

const [url, token] = process.argv.slice(2);
const connect = () =>
  createClient({
    url: url.replace(/^http/, "ws"),
    webSocketImpl: WebSocket,
    connectionParams: { Authorization: `Bearer ${token}` },
    retryAttempts: 0,
  });
const source = { id: "https://w3id.org/rhizome/id/source/graphql-ws", create: { title: "graphql-ws" } };
const CREATE = `mutation ($source: SourceChoice!, $input: ClusterInput!) {
  createCluster(source: $source, input: $input) { id accepted revision }
}`;
const UPDATE = `mutation ($source: SourceChoice!, $id: ID!, $input: ClusterInput!) {
  updateCluster(source: $source, id: $id, input: $input) { accepted revision }
}`;
const WATCH = `subscription ($since: Int) {
  clusterChanged(where: { acronym: { startsWith: "WS" } }, sinceRevision: $since) {
    kind id fields revision resume node { name acronym }
  }
}`;
const run = async (client, query, variables) => {
  for await (const { data, errors } of client.iterate({ query, variables })) {
    if (errors) throw new Error(JSON.stringify(errors));
    return data;
  }
};

const client = connect();
const { revision: since } = await run(client, "{ revision }");
const watched = client.iterate({ query: WATCH, variables: { since } });
const input = { name: [{ text: "Grappe WS", lang: "fr" }], acronym: "WS1" };
const { createCluster: made } = await run(client, CREATE, { source, input });
const first = (await watched.next()).value.data.clusterChanged;
await watched.return();
await client.dispose();

const writer = connect(); // what happens while nobody watches
for (const acronym of ["WS2", "OTHER"])
  await run(writer, UPDATE, { source, id: made.id, input: { acronym } });
const again = writer.iterate({ query: WATCH, variables: { since: first.resume } });
const missed = [];
do missed.push((await again.next()).value.data.clusterChanged);
while (missed.at(-1).kind !== "LEFT");
let refused = null;
try {
  await run(writer, "subscription { clusterChanged(sinceRevision: 1000000) { id } }");
} catch (errors) {
  refused = errors[0].extensions.code;
}
await writer.dispose();
console.log(JSON.stringify({ made: made.id, first, missed, refused }));
process.exit(0);
