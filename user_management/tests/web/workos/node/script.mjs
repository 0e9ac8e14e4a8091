// What somebody does with WorkOS's SDK for Node: the same steps as `script.py`, wherever it points.
// node script.mjs <folder of the SDK> <address> <step> <since>: the transcript, line by line.
import { createRequire } from "node:module";

const [folder, address, step, since] = process.argv.slice(2);
const { WorkOS } = createRequire(`${folder}/package.json`)("@workos-inc/node");
const { hostname, port } = new URL(address);
const workos = new WorkOS("sk_sandbox", { apiHostname: hostname, port: Number(port), https: false, clientId: "client_sandbox" });
const { userManagement: users, organizations, authorization, events } = workos;
const EVENTS = [
  "user.created", "user.updated", "user.deleted", "organization.created", "organization_membership.created",
  "organization_membership.updated",
];

const say = (name, what) => console.log(`${name}: ${JSON.stringify(what)}`);

/** Note one answer, or the error it is. */
async function one(name, asked) {
  try {
    const found = await asked();
    say(name, found?.autoPagination ? [found.data, found.listMetadata] : (found ?? null));
    return found;
  } catch (error) {
    say(name, [error.name, error.status, error.code, error.message, error.errors]);
  }
}

/** Note everything on this page and those behind it. */
async function all(name, asked) {
  const found = await (await asked()).autoPagination();
  found.forEach((each, number) => say(`${name}[${number}]`, each));
  return found;
}

async function lists() {
  const everyone = await all("all users", () => users.listUsers({ limit: 7 }));
  const companies = await all("all organizations", () => organizations.listOrganizations({ order: "asc" }));
  await one("ten users", () => users.listUsers());
  await one("back", () => users.listUsers({ limit: 3, before: everyone[5].id }));
  await one("by email", () => users.listUsers({ email: everyone[3].email }));
  await one("by organization", () => users.listUsers({ organizationId: companies[0].id, limit: 100 }));
  await one("too many", () => users.listUsers({ limit: 101 }));
  await one("behind nobody", () => users.listUsers({ after: "user_01NOBODY" }));
  await one("memberships of nobody", () => users.listOrganizationMemberships({}));
  await all("members", () => users.listOrganizationMemberships({ organizationId: companies[0].id, limit: 5 }));
  const statuses = ["active", "inactive", "pending"];
  for (const { id } of await all("memberships", () => users.listOrganizationMemberships({ userId: everyone[2].id, statuses })))
    await one("membership", () => users.getOrganizationMembership(id));
  await one("user", () => users.getUser(everyone[2].id));
  await one("no user", () => users.getUser("user_01NOBODY"));
  await one("by external id", () => users.getUserByExternalId("a%2Fb%20c"));
  await one("organization", () => organizations.getOrganization(companies[0].id));
  await one("no organization", () => organizations.getOrganizationByExternalId("nobody"));
  await one("roles", () => authorization.listEnvironmentRoles());
  await one("its roles", () => organizations.listOrganizationRoles({ organizationId: companies[0].id }));
}

async function writes() {
  const made = await one("create", () => users.createUser({ email: "Ada@Example.com", password: "correct-horse" }));
  await one("look", () => users.getUser(made.id));
  await one("create again", () => users.createUser({ email: "ada@example.com" }));
  await one("change", () => users.updateUser({ userId: made.id, firstName: "Ada", externalId: "ada" }));
  await one("look", () => users.getUserByExternalId("ada"));
  const company = await one("create", () => organizations.createOrganization({ name: "Engines", externalId: "engines" }));
  await one("look", () => organizations.getOrganizationByExternalId("engines"));
  const joined = await one("join", () =>
    users.createOrganizationMembership({ userId: made.id, organizationId: company.id, roleSlug: "admin" }),
  );
  await one("leave", () => users.deactivateOrganizationMembership(joined.id));
  await one("look", () => users.listOrganizationMemberships({ userId: made.id }));
  await one("return", () => users.reactivateOrganizationMembership(joined.id));
  await one("look", () => users.listOrganizationMemberships({ userId: made.id }));
  await one("sign in wrongly", () =>
    users.authenticateWithPassword({ clientId: "client_sandbox", email: "ada@example.com", password: "wrong" }),
  );
  await one("delete", () => users.deleteOrganizationMembership(joined.id));
  await one("delete", () => users.deleteUser(made.id));
  await one("look", () => users.getUser(made.id));
  await one("newest", () => users.listUsers({ limit: 2 }));
}

async function happened() {
  const first = await one("first", () => events.listEvents({ events: EVENTS, rangeStart: since, limit: 2 }));
  let after = first.data[0].id;
  for (let number = 0; after; number++) {
    const page = await one(`page ${number}`, () => events.listEvents({ events: EVENTS, after, limit: 3 }));
    after = page.listMetadata.after;
  }
  await one("of one type", () => events.listEvents({ events: ["user.deleted"], rangeStart: since }));
  await one("odd types", () => events.listEvents({ events: ["user.exploded"] }));
}

await { lists, writes, events: happened }[step]();
