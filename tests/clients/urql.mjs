// A partner tool's job with urql: pages of clusters, by a persisted document, asked once a revision.
// node urql.mjs URL
import { Client, cacheExchange, fetchExchange, gql } from "@urql/core";

const url = process.argv[2];
const requests = [];
const client = new Client({
  url,
  exchanges: [cacheExchange, fetchExchange],
  preferGetMethod: false,
  fetch: async (input, init) => {
    const response = await fetch(input, init);
    requests.push({ status: response.status, revision: response.headers.get("rhizome-revision") });
    return response;
  },
});
const PAGE = gql`
  query Page($after: String) {
    clusters(first: 4, after: $after) {
      nodes { id name }
      pageInfo { hasNextPage endCursor }
    }
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
const again = await client.query(PAGE, { after: null }).toPromise(); // from urql's own cache
const wrong = await client.query(gql`{ clusters(first: 100000) { totalCount } }`, {}).toPromise();
console.log(
  JSON.stringify({
    names,
    requests,
    again: again.data.clusters.nodes.length,
    code: wrong.error.graphQLErrors[0]?.extensions?.code ?? null,
  }),
);
