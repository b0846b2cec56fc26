// A partner tool's job with graphql-sse: see a change as it is made, then go on after a break.
// node graphql-sse.mjs URL TOKEN
import { createClient } from "graphql-sse";

const [url, token] = process.argv.slice(2);
const headers = { Authorization: `Bearer ${token}` };
const client = createClient({ url, headers, retryAttempts: 0 });
const source = { id: "https://w3id.org/rhizome/id/source/graphql-sse", create: { title: "graphql-sse" } };
const post = async (query, variables) => {
  const response = await fetch(url, {
    method: "POST",
    headers: { ...headers, "Content-Type": "application/json" },
    body: JSON.stringify({ query, variables }),
  });
  return { revision: Number(response.headers.get("rhizome-revision")), ...(await response.json()) };
};
const CREATE = `mutation ($source: SourceChoice!, $input: ClusterInput!) {
  createCluster(source: $source, input: $input) { id accepted revision }
}`;
const WATCH = `subscription ($since: Int) {
  changed(types: ["Cluster"], sinceRevision: $since) {
    kind revision resume node { __typename label } commits { agent message }
  }
}`;

const { revision: since } = await post("{ revision }");
const watched = client.iterate({ query: WATCH, variables: { since } });
const create = (text) => post(CREATE, { source, input: { name: [{ text, lang: "en" }] } });
await create("Seen at once");
const first = (await watched.next()).value.data.changed;
await watched.return();
await create("Seen later");
const again = client.iterate({ query: WATCH, variables: { since: first.resume } });
const second = (await again.next()).value.data.changed;
await again.return();
const read = client.iterate({ query: "{ revision }" });
const { value } = await read.next();
const wrong = client.iterate({ query: "subscription { nothing }" });
const refused = (await wrong.next()).value.errors[0].extensions.code;
client.dispose();
console.log(JSON.stringify({ first, second, revision: value.data.revision, refused }));
process.exit(0);
