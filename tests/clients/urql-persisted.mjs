// A partner tool's job with urql and its persisted documents: the text goes once, then its hash.
// node urql-persisted.mjs URL
import { Client, fetchExchange, gql } from "@urql/core";
import { persistedExchange } from "@urql/exchange-persisted";

const requests = [];
const client = new Client({
  url: process.argv[2],
  preferGetMethod: false,
  exchanges: [
    persistedExchange({ preferGetForPersistedQueries: true, enforcePersistedQueries: false }),
    fetchExchange,
  ],
  fetch: async (input, init) => {
    const response = await fetch(input, init);
    const sent = new URL(input).searchParams.get("query") ?? JSON.parse(init.body ?? "{}").query;
    requests.push({ method: init.method, text: sent !== undefined && sent !== null });
    return response;
  },
});
const PAGE = gql`
  query Persisted($after: String) {
    clusters(first: 4, after: $after) { nodes { name } pageInfo { hasNextPage endCursor } }
  }
`;
const names = [];
let after = null;
do {
  const { data, error } = await client.query(PAGE, { after }).toPromise();
  if (error) throw error;
  names.push(...data.clusters.nodes.map((node) => node.name));
  after = data.clusters.pageInfo.hasNextPage ? data.clusters.pageInfo.endCursor : null;
} while (after);
console.log(JSON.stringify({ names, requests }));
