// A real OpenID Connect provider with the people of the tests. Says its port, then "ready", on standard output.
//
// node provider.mjs PORT REDIRECT_URI PEOPLE_JSON
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const require = createRequire(path.join(process.cwd(), 'package.json'));
const { Provider } = await import(pathToFileURL(require.resolve('oidc-provider')));

const [port, redirectUri, peopleJson] = process.argv.slice(2);
const people = JSON.parse(peopleJson);

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{
    client_id: 'phems',
    client_secret: 'a secret of the tests alone',
    redirect_uris: [redirectUri],
    grant_types: ['authorization_code'],
    response_types: ['code'],
  }],
  claims: { openid: ['sub'], profile: ['preferred_username', 'groups'], email: ['email', 'email_verified'] },
  scopes: ['openid', 'profile', 'email'],
  pkce: { required: () => true },
  features: { devInteractions: { enabled: true } },
  cookies: { keys: ['a key of the tests alone'] },
  async findAccount(_ctx, id) {
    const person = people[id];
    if (person === undefined) return undefined;
    return { accountId: id, claims: async () => ({ sub: id, ...person }) };
  },
});

provider.listen(Number(port), '127.0.0.1', () => console.log('ready'));
