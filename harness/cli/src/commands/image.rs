//! `spawnlab image`.

use std::fmt::Write as _;

use spawnlab::{
    report::{drive::drive, terminal::Terminal},
    run::suite::Suite,
    verdict::event::Events,
};

use crate::lab::images::{self, ImageSummary};
use crate::{
    args::{
        ImageCommand,
        nixos::{self as nixos_options, NixosArgs},
    },
    output::{error::CliError, exit::Exit, print},
};

/// Does what `command` asks for.
pub(crate) async fn image(command: ImageCommand, suite: &Suite) -> Result<Exit, CliError> {
    let text = match command {
        ImageCommand::Build {
            refresh,
            recipe,
            nixos,
        } => build(suite, refresh, recipe.as_deref(), &nixos).await?,
        ImageCommand::List => list().await?,
        ImageCommand::Show { image } => show(&image).await?,
    };
    print::stdout(&text)?;
    Ok(Exit::AsExpected)
}

/// Progress goes to standard error, the folder to standard output.
async fn build(
    suite: &Suite,
    refresh: bool,
    recipe: Option<&str>,
    nixos: &NixosArgs,
) -> Result<String, CliError> {
    let options = nixos.with_environment(recipe).options(recipe);
    nixos_options::check(&options)?;
    let (events, receiver) = Events::channel();
    let mut terminal = Terminal::plain(Box::new(std::io::stderr()));
    let driver = drive(receiver, move |event| terminal.tell(event), None)
        .map_err(|error| CliError::infrastructure("reporters", error))?;
    let built = images::build_image(suite.fixture_of_hosts(), &options, refresh, &events).await;
    drop(events);
    let _ = tokio::task::spawn_blocking(|| driver.finish()).await;
    let image = built.map_err(|error| CliError::of("image build", error))?;
    Ok(format!("{}\n", image.folder))
}

async fn list() -> Result<String, CliError> {
    let mut text = String::new();
    for image in images().await? {
        let _ = writeln!(
            text,
            "{:<20} {:<16} {}",
            image.name,
            image.id.get(..16).unwrap_or(&image.id),
            image.folder
        );
    }
    Ok(text)
}

async fn show(wanted: &str) -> Result<String, CliError> {
    let images = images().await?;
    let means = |image: &&ImageSummary| image.name == wanted || image.id.starts_with(wanted);
    let found: Vec<&ImageSummary> = images.iter().filter(means).collect();
    let hint = "`spawnlab image list` shows names and ids, `spawnlab image build` builds one";
    let image = match found.as_slice() {
        [image] => image,
        [] => {
            return Err(CliError::nothing("image", format!("none is called {wanted}")).hint(hint));
        }
        many => {
            let why = format!("{} are called {wanted}", many.len());
            return Err(CliError::usage("image", why).hint(hint));
        }
    };
    serde_json::to_string_pretty(&image.manifest)
        .map(|text| text + "\n")
        .map_err(|error| CliError::infrastructure("image.json", error))
}

async fn images() -> Result<Vec<ImageSummary>, CliError> {
    images::images()
        .await
        .map_err(|error| CliError::infrastructure("images", error))
}
