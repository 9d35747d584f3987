// Visits every page: those of the navigation, and one of each kind that they lead to. Each is looked at in light, in dark
// and on a phone; then those of the navigation where nothing was sent yet. Arguments: origin, token, a directory of the
// test's own, the tokens of an empty workspace, of a reader and of an operator.
const { test } = require('./browser.cjs');

const PHONE = 390;
const WIDE = 1280;
const PAGES_MAX = 60;
// Pages by themselves, whoever links to them: with ordinary names, and of nobody.
const NAMED = ['/accounts/a1000', '/users/u1000-0', '/organizations/org-100', '/search?q=%3Cscript%3E', '/refused?code=user_needs_parent&place=%2FaccountId'];
const NOWHERE = ['/accounts/nobody-by-this-name', '/users/nobody-by-this-name/traits/x'];
// Another scheme changes colours alone, another size what can be seen, reached and hit.
const COLOURS = { type: 'rule', values: ['color-contrast', 'link-in-text-block'] };
const ROOM = { type: 'rule', values: ['target-size', 'scrollable-region-focusable', 'bypass', 'link-name', 'button-name', 'label'] };

// Pages that differ only in which record they are of are of one kind.
const kind = (url, known) => {
  if (known.has(url.pathname)) return `${url.pathname}?${[...new Set(url.searchParams.keys())].sort()}`;
  const [first, ...others] = url.pathname.split('/').filter(Boolean);
  return `/${[first, ...others.map(() => '*')].join('/')}?${[...new Set(url.searchParams.keys())].sort()}`;
};

const links = (visit, within) => visit.page.$$eval(`${within} a[href]`, (all) => all.map((one) => ({ href: one.href, isFile: one.hasAttribute('download') })));

// Looks at the page that is open: in every way; or, where another one of its kind was looked at so, only whether it does
// harm and fits.
const judge = async (visit, name, isFirst) => {
  visit.step = name;
  await visit.look('light', WIDE);
  await visit.harmless();
  await visit.fits();
  if (isFirst) await visit.accessible();
  await visit.shoot(`${name} light`);
  if (isFirst) {
    visit.step = `${name}, dark`;
    await visit.look('dark', WIDE);
    await visit.accessible(COLOURS);
    await visit.shoot(`${name} dark`);
  }
  visit.step = `${name}, on a phone`;
  await visit.look('light', PHONE);
  await visit.fits();
  if (isFirst) await visit.accessible(ROOM);
  await visit.shoot(`${name} phone`);
};

// Where nothing is, pages say so.
const emptiness = async (visit, token) => {
  const other = await visit.other();
  await other.signIn(token);
  const all = [...new Set((await links(other, 'nav')).map(({ href }) => href))];
  other.check(all.length >= 6, `the navigation has ${all.length} links`);
  for (const href of all) {
    const { pathname } = new URL(href);
    await other.open(href);
    await judge(other, `${pathname} of an empty workspace`, pathname === '/');
    if (pathname !== '/') await other.accessible();
    const said = await other.page.$eval('main', (one) => one.innerText.replaceAll(/\s/g, '').length);
    other.check(said > 30, `the page says ${said} letters`);
  }
};

// What only those see who operate the server.
const operations = async (visit, token) => {
  const other = await visit.other();
  await other.signIn(token, '/admin/workspaces');
  await judge(other, '/admin/workspaces', true);
};

test(async (visit, token, empty, _, operator) => {
  visit.step = 'signing in';
  await visit.open('/signin');
  await judge(visit, '/signin', true);
  await visit.look('light', WIDE);
  await visit.signIn(token);
  visit.check(new URL(visit.page.url()).pathname === '/', `signing in leads to ${visit.page.url()}`);

  const navigation = await links(visit, 'nav');
  visit.check(navigation.length >= 6, `the navigation has ${navigation.length} links`);
  const known = new Set(navigation.map(({ href }) => new URL(href).pathname));
  const waiting = [...navigation.map(({ href }) => href), ...NAMED.map((target) => new URL(target, visit.origin).href)];
  const named = new Set(NAMED.map((target) => kind(new URL(target, visit.origin), known)));
  const seen = new Set();
  const files = new Set();
  let pages = 0;
  while (waiting.length) {
    const href = waiting.shift();
    const url = new URL(href);
    const isNamed = NAMED.includes(url.pathname + url.search);
    const one = isNamed ? url.pathname + url.search : kind(url, known);
    if (seen.has(one) || url.origin !== visit.origin) continue;
    seen.add(one);
    if (pages === PAGES_MAX) {
      visit.find(`more than ${PAGES_MAX} kinds of page: the next is ${one}`);
      break;
    }
    pages += 1;
    visit.step = one;
    await visit.open(href);
    await judge(visit, one, isNamed || !(url.search || named.has(one)));
    for (const { href, isFile } of await links(visit, 'main')) {
      if (isFile) files.add(href);
      // One parameter after the other: their combinations have no end.
      else if (!url.search || isNamed || !new URL(href).search) waiting.push(href);
    }
  }
  for (const href of files) {
    const name = `the file ${new URL(href).pathname}`;
    if (seen.has(name)) continue;
    seen.add(name);
    visit.step = name;
    const { status, bytes } = await visit.page.evaluate(async (href) => {
      const answer = await fetch(href);
      return { status: answer.status, bytes: (await answer.arrayBuffer()).byteLength };
    }, href);
    visit.check(status === 200 && bytes > 0, `${status}, ${bytes} bytes`);
  }
  visit.expected = (url) => NOWHERE.some((target) => url === visit.origin + target);
  for (const target of NOWHERE) {
    const answer = await visit.open(target);
    await judge(visit, target, true);
    visit.check(answer.status() === 404, `answered with ${answer.status()}`);
  }
  visit.step = 'an empty workspace';
  await emptiness(visit, empty);
  visit.step = 'all workspaces';
  await operations(visit, operator);
  console.log(`${pages} kinds of page: ${[...seen].join(' ')}`);
});
