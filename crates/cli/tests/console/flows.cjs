// What people do in the console, by keyboard and by form. Arguments: origin, token, a directory of the test's own, the tokens of an
// empty workspace, of a reader and of an operator.
const { readFileSync } = require('node:fs');
const path = require('node:path');
const { test } = require('./browser.cjs');
const changes = require('./changes.cjs');
const finer = require('./finer.cjs');
const kept = require('./kept.cjs');

const HOSTILE = JSON.parse(readFileSync(path.join(__dirname, 'hostile.json'), 'utf8'));

const here = (visit) => {
  const { pathname, search } = new URL(visit.page.url());
  return pathname + search;
};
const text = (visit, selector) => visit.page.$eval(selector, (one) => one.innerText);

const wrongKey = async (visit) => {
  visit.expected = (url) => url.endsWith('/signin');
  const answer = await visit.signIn('mk_wrong_wrong_wrong_wrong', '/users');
  visit.check(answer.status() === 401, `a wrong key is answered with ${answer.status()}`);
  visit.check((await text(visit, '[role=alert]')).length > 20, 'nothing says what is wrong with the key');
  visit.check(!(await visit.page.content()).includes('mk_wrong'), 'the wrong key stands in the page');
  await visit.harmless();
  await visit.accessible();
  visit.expected = () => false;
};

const rightKey = async (visit, token) => {
  await visit.page.type('input[name=token]', token);
  await visit.follow(() => visit.page.keyboard.press('Enter'));
  visit.check(here(visit) === '/users', `after a second try the browser is at ${here(visit)}`);
  const cookies = await visit.page.browserContext().cookies();
  const session = cookies.find(({ httpOnly }) => httpOnly);
  visit.check(session?.sameSite === 'Lax' && !session.value.includes(token), 'the cookie of the session is not kept well');
};

const searching = async (visit) => {
  await visit.open('/');
  await visit.page.keyboard.press('/');
  visit.check(await visit.page.evaluate(() => document.activeElement?.matches('input[type=search]')), '/ leads to no search');
  await visit.page.keyboard.type('halden');
  await visit.follow(() => visit.page.keyboard.press('Enter'));
  const found = await visit.page.$('main a[href^="/accounts/"]');
  visit.check(found, 'the account is not found');
  if (found) await visit.follow(() => found.click());
  visit.check((await text(visit, 'h1')).includes('Halden Bridgeworks'), 'the account found is another one');
  await visit.open('/accounts');
  await visit.page.keyboard.press('/');
  await visit.page.keyboard.type('a1003');
  await visit.follow(() => visit.page.keyboard.press('Enter'));
  const rows = await visit.page.$$eval('main tbody tr', (all) => all.length);
  visit.check(rows === 1, `searching for an id in the table leaves ${rows} rows`);
};

const rowsByKey = async (visit) => {
  await visit.open('/accounts');
  const at = () => visit.page.$$eval('main tbody tr', (all) => all.flatMap((one, row) => (one.classList.contains('at') ? [row] : [])).join());
  visit.check((await at()) === '', 'a row is marked before any key');
  for (const [key, row] of [['j', '0'], ['j', '1'], ['j', '2'], ['k', '1']]) {
    await visit.page.keyboard.press(key);
    visit.check((await at()) === row, `${key} marks ${await at()} rather than ${row}`);
  }
  const wanted = await visit.page.$$eval('main tbody tr', (all) => all[1].querySelector('a').getAttribute('href'));
  await visit.follow(() => visit.page.keyboard.press('Enter'));
  visit.check(here(visit) === wanted, `Enter leads to ${here(visit)} rather than ${wanted}`);
};

const help = async (visit) => {
  await visit.open('/users');
  const isOpen = () => visit.page.evaluate(() => document.querySelector('dialog[open]')?.innerText.includes('Search') ?? false);
  await visit.page.keyboard.press('?');
  visit.check(await isOpen(), '? shows no help');
  await visit.accessible();
  await visit.page.keyboard.press('Escape');
  visit.check(!(await isOpen()), 'Escape leaves the help open');
  await visit.page.focus('input[type=search]');
  await visit.page.keyboard.type('?jk/');
  const typed = await visit.page.evaluate(() => document.activeElement.value);
  visit.check(typed === '?jk/' && !(await isOpen()), `keys act while somebody types: ${typed}`);
};

const firstByTab = async (visit) => {
  await visit.open('/users');
  await visit.page.keyboard.press('Tab');
  await visit.page.keyboard.press('Enter');
  const inside = await visit.page.evaluate(() => document.querySelector('main').contains(document.activeElement) || location.hash === '#main');
  visit.check(inside, 'the first stop of the tab key does not lead past the navigation');
};

// What a customer calls things is shown as it is called, and nothing more.
const names = async (visit) => {
  for (const [which, name] of Object.entries(HOSTILE)) {
    for (const record of ['accounts', 'users', 'organizations']) {
      visit.step = `a name with ${which}, ${record}`;
      await visit.open(`/${record}/hostile-${which}`);
      await visit.harmless();
      await visit.fits();
      const plain = (words) => words.replaceAll(/\s+/g, ' ').trim();
      const title = plain(await text(visit, 'h1'));
      visit.check(title.includes(plain(name)), `the title is ${title}`);
      visit.check(await visit.page.$('main'), 'the page is torn');
    }
    visit.step = `a name with ${which}, event`;
    await visit.open(`/events/${encodeURIComponent(name)}`);
    await visit.harmless();
    await visit.fits();
    visit.check((await text(visit, 'main')).includes(name.slice(0, 8)), 'the event is not told');
  }
};

const theme = async (visit) => {
  await visit.open('/accounts');
  const shown = () => visit.page.evaluate(() => `${document.documentElement.dataset.theme} ${getComputedStyle(document.body).backgroundColor}`);
  const seen = [await shown()];
  for (let press = 0; press < 3; press += 1) {
    const before = seen.at(-1);
    await visit.page.click('form[action="/theme"] button');
    await visit.page.waitForFunction((was) => document.documentElement.dataset.theme !== was, {}, before.split(' ')[0]);
    visit.check(here(visit) === '/accounts', `choosing a theme leads to ${here(visit)}`);
    seen.push(await shown());
  }
  const looks = new Set(seen.slice(1).map((one) => one.split(' ').slice(1).join(' ')));
  visit.check(seen[0] === seen[3] && looks.size === 2, `themes look like ${seen.join(', ')}`);
};

const signingOut = async (visit) => {
  await visit.open('/users');
  const button = await visit.page.$('form[action="/signout"] button');
  await visit.follow(() => button.click());
  visit.check(here(visit).startsWith('/signin'), `signing out leads to ${here(visit)}`);
  await visit.open('/accounts?sort=name');
  visit.check(here(visit).startsWith('/signin?next='), `who signed out still sees ${here(visit)}`);
  await visit.page.goBack({ waitUntil: 'load' });
  visit.check(!(await visit.page.content()).includes('Halden'), 'the way back shows what was there');
};

const FLOWS = { wrongKey, rightKey, searching, rowsByKey, help, firstByTab, names, theme, ...finer, ...changes, ...kept, signingOut };

test(async (visit, token, ...others) => {
  for (const [name, flow] of Object.entries(FLOWS)) {
    visit.step = name;
    await flow(visit, token, ...others);
    await visit.shoot(name);
  }
  console.log(`${Object.keys(FLOWS).length} flows`);
});
