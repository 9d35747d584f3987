//! What can be done in the product, how often each role does it, and what is told with it.

use super::{
    cast::{Account, Role},
    dice::Dice,
    message::Members,
    story::{CAMPAIGN, CAMPAIGN_DAYS, Plan, RELEASE},
};

/// The feature that comes out in the middle of the year.
pub const NEW_FEATURE: &str = "summary-generated";
/// What the campaign is about.
const CAMPAIGN_FEATURE: &str = "template-used";
/// How many days accounts take to try the new feature.
const ADOPTION_DAYS_MEAN: f64 = 48.0;
/// Of the accounts so many never try it.
const NEVER: f64 = 0.25;

/// Something that is done: its name, and how often by admins, editors and viewers.
struct Deed {
    event: &'static str,
    weights: [f64; 3],
    plan: Plan,
}

const fn deed(event: &'static str, weights: [f64; 3], plan: Plan) -> Deed {
    Deed { event, weights, plan }
}

const DEEDS: [Deed; 18] = [
    deed("document-viewed", [20.0, 26.0, 60.0], Plan::Free),
    deed("document-edited", [12.0, 34.0, 0.0], Plan::Free),
    deed("document-created", [3.0, 6.0, 0.0], Plan::Free),
    deed("document-shared", [3.0, 4.0, 1.5], Plan::Free),
    deed("comment-added", [5.0, 9.0, 6.0], Plan::Free),
    deed("search-performed", [7.0, 9.0, 16.0], Plan::Free),
    deed("file-uploaded", [2.0, 6.0, 0.0], Plan::Free),
    deed("photo-annotated", [0.5, 4.0, 0.5], Plan::Team),
    deed(CAMPAIGN_FEATURE, [1.0, 2.0, 0.0], Plan::Free),
    deed("export-started", [1.5, 1.5, 1.0], Plan::Free),
    deed("project-created", [1.5, 0.8, 0.0], Plan::Free),
    deed("approval-requested", [1.0, 3.0, 0.0], Plan::Team),
    deed("approval-given", [3.0, 0.5, 1.0], Plan::Team),
    deed("member-invited", [1.6, 0.1, 0.0], Plan::Free),
    deed("report-viewed", [5.0, 1.0, 3.0], Plan::Business),
    deed("billing-viewed", [1.0, 0.0, 0.0], Plan::Free),
    deed("integration-connected", [0.3, 0.0, 0.0], Plan::Business),
    deed(NEW_FEATURE, [8.0, 14.0, 9.0], Plan::Team),
];

const PAGES: [&str; 7] =
    ["Daily site log", "Method statement", "Handover notes", "Meeting minutes", "Risk register", "Spec sheet", "RFI"];
const QUERIES: [&str; 10] = [
    "fire door schedule",
    "revision C",
    "handover",
    "who approved",
    "Übergabeprotokoll",
    "計画書",
    "مخطط",
    "pump \"P-101\"",
    "<script>",
    "100% complete",
];

/// What somebody of this role does next.
pub fn next(account: &Account, role: Role, day: i32, dice: &mut Dice, adopted: i32) -> &'static str {
    let plan = account.course.stage(day).plan;
    let column = match role {
        Role::Admin => 0,
        Role::Editor => 1,
        Role::Viewer => 2,
    };
    let weight = |deed: &Deed| {
        let weight = deed.weights[column];
        match deed.event {
            NEW_FEATURE if day < adopted => 0.0,
            // Use grows with the days since it was first tried.
            NEW_FEATURE => weight * (1.0 - (-f64::from(day - adopted + 3) / 30.0).exp()),
            CAMPAIGN_FEATURE if is_campaign(day) => weight * 9.0,
            _ if deed.plan > plan => 0.0,
            _ => weight,
        }
    };
    DEEDS[dice.weighted(DEEDS.iter().map(weight))].event
}

/// The day on which an account tries the new feature.
pub fn adoption(seed: u64, account: &Account) -> i32 {
    let mut dice = Dice::new(seed, "adoption", &[account.number as u64]);
    if account.course.stage(RELEASE).plan == Plan::Free || dice.falls(NEVER) {
        return i32::MAX;
    }
    RELEASE.max(account.course.begins) + dice.wait(ADOPTION_DAYS_MEAN) as i32
}

/// Whether the campaign runs.
pub fn is_campaign(day: i32) -> bool {
    (CAMPAIGN..CAMPAIGN + CAMPAIGN_DAYS).contains(&day)
}

/// What is told with an event.
pub fn properties(event: &str, day: i32, device: &str, dice: &mut Dice) -> Members {
    let members = Members::new();
    let document = |dice: &mut Dice| format!("d-{}", 10_000 + dice.below(900) + (day.max(0) as usize) * 3);
    let about_document = |members: Members, dice: &mut Dice| {
        members.text("documentId", &document(dice)).text("template", dice.word(&PAGES))
    };
    let members = match event {
        "document-viewed" => about_document(members, dice).number("seconds", 4 + dice.wait(70.0) as u32),
        "document-edited" => about_document(members, dice).number("changes", dice.between(1, 40)),
        "document-created" | "approval-requested" | "approval-given" => about_document(members, dice),
        "template-used" => members.text("template", dice.word(&PAGES)).raw("fromGallery", is_campaign(day).to_string()),
        "document-shared" => {
            let with = dice.word(&["link", "email", "guest"]);
            members.text("documentId", &document(dice)).text("with", with).number("recipients", dice.between(1, 6))
        }
        "comment-added" => {
            let resolved = dice.falls(0.3).to_string();
            members.text("documentId", &document(dice)).number("length", dice.between(3, 400)).raw("resolved", resolved)
        }
        "search-performed" => members.text("query", dice.word(&QUERIES)).number("results", dice.below(60)),
        "file-uploaded" | "photo-annotated" => {
            let (format, bytes) = (dice.word(&["pdf", "jpg", "dwg", "xlsx"]), 20_000 + dice.wait(2e6) as u64);
            members.text("format", format).number("bytes", bytes)
        }
        "export-started" => {
            members.text("format", dice.word(&["pdf", "docx", "csv"])).number("pages", dice.between(1, 90))
        }
        "report-viewed" => {
            let filters =
                format!(r#"{{"from":"last-month","teams":["site","office"],"archived":{}}}"#, dice.falls(0.2));
            members.text("report", dice.word(&["Progress", "Overdue", "Activity"])).raw("filters", filters)
        }
        "member-invited" => members.text("role", dice.word(&["editor", "viewer"])),
        "integration-connected" => members.text("integration", dice.word(&["Slack", "SharePoint", "Procore", "Drive"])),
        NEW_FEATURE => {
            let rated = if dice.falls(0.15) { dice.between(1, 5).to_string() } else { "null".to_owned() };
            about_document(members, dice).number("words", dice.between(40, 420)).raw("rating", rated)
        }
        _ => members,
    };
    members.text("device", device)
}
