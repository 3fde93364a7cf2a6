// node segment.js HOST WRITE_KEY USER: what a server says with @segment/analytics-node.
const { Analytics } = require("@segment/analytics-node");

const [host, writeKey, userId] = process.argv.slice(2);
const analytics = new Analytics({ host, writeKey });
analytics.on("error", (error) => {
  console.error(error);
  process.exitCode = 1;
});
analytics.identify({ userId, anonymousId: "anon-1", traits: { plan: "pro" } });
analytics.track({ userId, event: "Order Completed", properties: { total: 12.5 } });
analytics.page({ userId, name: "Home", properties: { path: "/" } });
analytics.closeAndFlush({ timeout: 20000 });
