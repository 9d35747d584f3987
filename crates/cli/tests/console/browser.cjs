// A browser with ears: whatever a page says, refuses, misses or tries is written down, with the step in which it did.
const { readFileSync, existsSync, mkdirSync } = require('node:fs');
const path = require('node:path');
const puppeteer = require('puppeteer-core');

const AXE = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
// What a page must keep to: the levels A and AA of WCAG, up to 2.2.
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];
const GRAVE = ['serious', 'critical'];
const PATIENCE_MILLIS = 15_000;
const SHOTS = process.env.MUSTER_TEST_SCREENSHOTS;

const program = (name) => {
  const found = (process.env.PATH ?? '').split(':').map((place) => path.join(place, name)).find(existsSync);
  if (!found) throw new Error(`${name} is not installed; scripts/test packages installs what is missing`);
  return found;
};

// A page, and what was heard of it.
class Visit {
  constructor(page, origin) {
    this.page = page;
    this.origin = origin;
    this.step = 'start';
    this.findings = [];
    this.expected = () => false;
    // What is answered to the next question that a page asks; one that is not expected is a finding.
    this.answer = undefined;
    this.shots = 0;
  }

  // Something is wrong.
  find(what) {
    this.findings.push(`${this.step}: ${what}`);
  }

  check(holds, what) {
    if (!holds) this.find(what);
  }

  async listen() {
    const { page } = this;
    page.setDefaultTimeout(PATIENCE_MILLIS);
    page.on('console', (message) => {
      const place = message.location().url ?? '';
      if (message.type() === 'error' && !this.expected(place)) this.find(`the console says: ${message.text()} (${place})`);
    });
    page.on('pageerror', (error) => this.find(`a script failed: ${error.stack ?? error}`));
    page.on('dialog', async (dialog) => {
      const answer = dialog.type() === 'confirm' ? this.answer : undefined;
      this.answer = undefined;
      if (answer === undefined) this.find(`a dialog opened: ${dialog.message()}`);
      await (answer ? dialog.accept() : dialog.dismiss());
    });
    page.on('request', (request) => {
      const url = request.url();
      if (!url.startsWith(this.origin) && !url.startsWith('data:')) this.find(`asked for something elsewhere: ${url}`);
    });
    page.on('requestfailed', (request) => {
      const reason = request.failure()?.errorText;
      // A stream ends with its page.
      const usual = reason === 'net::ERR_ABORTED' && request.resourceType() === 'eventsource';
      if (!usual) this.find(`${request.method()} ${request.url()} failed: ${reason}`);
    });
    page.on('response', (response) => {
      const { status, url } = { status: response.status(), url: response.url() };
      if (status >= 400 && !this.expected(url)) this.find(`${status} for ${response.request().method()} ${url}`);
    });
    await page.exposeFunction('heardViolation', (says) => this.find(`the policy was broken: ${says}`));
    await page.evaluateOnNewDocument(() => {
      document.addEventListener('securitypolicyviolation', (event) => {
        window.heardViolation(`${event.violatedDirective} by ${event.blockedURI} at ${event.sourceFile}:${event.lineNumber}`);
      });
    });
  }

  // Somebody else at the same server, in a browser that shares nothing with this one.
  async other() {
    const context = await this.page.browser().createBrowserContext();
    const other = new Visit(await context.newPage(), this.origin);
    other.findings = this.findings;
    other.step = `${this.step}, somebody else`;
    await other.listen();
    await other.look('light', 1280);
    return other;
  }

  async open(target) {
    return this.page.goto(new URL(target, this.origin).href, { waitUntil: 'load' });
  }

  // Does something that leads to another page, and waits for it.
  async follow(deed) {
    const [answer] = await Promise.all([this.page.waitForNavigation({ waitUntil: 'load' }), deed()]);
    return answer;
  }

  // Empties a field and types into it.
  async fill(selector, words) {
    await this.page.$eval(selector, (one) => { one.value = ''; });
    await this.page.type(selector, words);
  }

  // With a key, or as a member with the password.
  async signIn(token, next = '/', email = '') {
    await this.open(next);
    if (email) await this.page.type('input[name=email]', email);
    await this.page.type('input[name=token]', token);
    return this.follow(() => this.page.click('form button'));
  }

  // How the page looks: `light` or `dark`, `wide` or as on a phone.
  async look(scheme, width) {
    if (scheme !== this.scheme) {
      await this.page.emulateMediaFeatures([
        { name: 'prefers-color-scheme', value: scheme },
        { name: 'prefers-reduced-motion', value: 'reduce' },
      ]);
    }
    if (width !== this.width) await this.page.setViewport({ width, height: width < 600 ? 844 : 900 });
    [this.scheme, this.width] = [scheme, width];
  }

  // Markup that nobody of the console wrote.
  async harmless() {
    const harm = await this.page.evaluate(() => {
      const found = [];
      if (window.harmed) found.push('a customer’s script ran');
      for (const script of document.scripts) if (!script.src) found.push(`an inline script: ${script.textContent.slice(0, 80)}`);
      for (const one of document.querySelectorAll('*')) {
        for (const attribute of one.attributes) {
          if (/^on/i.test(attribute.name)) found.push(`${one.tagName} has ${attribute.name}`);
          if (/^\s*javascript:/i.test(attribute.value) && attribute.name === 'href') found.push(`a link runs a script: ${attribute.value}`);
        }
      }
      return found;
    });
    harm.forEach((what) => this.find(what));
  }

  // Parts that stick out to the right, so that the page can be pushed sideways.
  async fits() {
    const wide = await this.page.evaluate(() => {
      const room = document.documentElement.clientWidth;
      if (document.scrollingElement.scrollWidth <= room) return [];
      const scrolls = (one) => one && one !== document.body && (getComputedStyle(one).overflowX !== 'visible' || scrolls(one.parentElement));
      const out = [...document.body.querySelectorAll('*')].filter((one) => one.getBoundingClientRect().right > room + 1 && !scrolls(one.parentElement));
      const named = (one) => `${one.tagName.toLowerCase()}${one.id ? `#${one.id}` : ''}.${String(one.getAttribute('class') ?? '').replaceAll(' ', '.')}`;
      return [`${document.scrollingElement.scrollWidth} of ${room} pixels`, ...out.slice(0, 6).map(named)];
    });
    if (wide.length) this.find(`wider than the window: ${wide.join(', ')}`);
  }

  // What people with other senses or hands would stumble over.
  async accessible(rules = { type: 'tag', values: RULES }) {
    if (!(await this.page.evaluate(() => Boolean(window.axe)))) await this.page.evaluate(AXE);
    const violations = await this.page.evaluate(async (runOnly) => {
      const { violations } = await window.axe.run(document, { runOnly, resultTypes: ['violations'], preload: false });
      return violations.map(({ id, impact, help, nodes }) => ({ id, impact, help, where: nodes.slice(0, 3).map((node) => `${node.target} ${node.any[0]?.message ?? ''}`) }));
    }, rules);
    for (const { id, impact, help, where } of violations) {
      if (GRAVE.includes(impact)) this.find(`${id} (${impact}): ${help}: ${where.join(' | ')}`);
    }
  }

  async shoot(name) {
    if (!SHOTS) return;
    mkdirSync(SHOTS, { recursive: true });
    this.shots += 1;
    const plain = name.replaceAll(/[^A-Za-z0-9]+/g, '-').slice(0, 60);
    await this.page.screenshot({ path: path.join(SHOTS, `${String(this.shots).padStart(3, '0')}-${plain}.png`), fullPage: true });
  }
}

// Runs the whole of a test in a browser of its own, prints what was found, and ends with whether anything was.
exports.test = async (whole) => {
  const [origin, token, home, ...others] = process.argv.slice(2);
  const browser = await puppeteer.launch({
    executablePath: program('chromium'),
    pipe: true,
    userDataDir: path.join(home, 'browser'),
    args: [
      '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run', '--disable-component-update', '--disable-sync',
      '--disable-background-networking', '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1',
    ],
  });
  const visit = new Visit(await browser.newPage(), origin);
  try {
    await visit.listen();
    await visit.look('light', 1280);
    await whole(visit, token, ...others);
  } catch (error) {
    visit.find(`went no further: ${error.stack}`);
  }
  await browser.close();
  visit.findings.forEach((finding) => console.log(finding));
  process.exitCode = visit.findings.length ? 1 : 0;
};
