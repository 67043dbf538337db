"""The files of one value a day, month or quarter: closes, rates, factors and macro series."""

from dataclasses import replace

from bundle.model import Adjustment, Series, Source

_NCSA = "The package's NCSA licence covers the file as distributed; {}, and no separate data licence is stated."
_BSD_UNSTATED = (
    "The package's BSD-3-Clause licence covers the file as distributed; source of prices not stated, and no separate "
    "data licence is stated."
)
_SHARES = {
    "AAPL": "Apple",
    "AMD": "AMD",
    "BAC": "Bank of America",
    "BBY": "Best Buy",
    "CVX": "Chevron",
    "GE": "General Electric",
    "HD": "Home Depot",
    "JNJ": "Johnson & Johnson",
    "JPM": "JPMorgan Chase",
    "KO": "Coca-Cola",
    "LLY": "Eli Lilly",
    "MRK": "Merck",
    "MSFT": "Microsoft",
    "PEP": "PepsiCo",
    "PFE": "Pfizer",
    "PG": "Procter & Gamble",
    "RRC": "Range Resources",
    "UNH": "UnitedHealth",
    "WMT": "Walmart",
    "XOM": "Exxon Mobil",
}
_ETFS = {
    "MTUM": "US momentum factor fund",
    "QUAL": "US quality factor fund",
    "SIZE": "US size factor fund",
    "USMV": "US minimum volatility fund",
    "VLUE": "US value factor fund",
}


def _skfolio(file: str, title: str, path: str, sha256: str, adjustment: str, series: tuple[Series, ...]) -> Source:
    values = {one.name: f'"{"SP500" if one.name == "SPX" else one.name}"' for one in series}
    return Source(
        file=file,
        title=title,
        kind="closes",
        registry="pip",
        package="skfolio",
        version="1.12.2",
        path=f"skfolio/datasets/data/{path}",
        sha256=sha256,
        licence="BSD-3-Clause",
        notice="skfolio-1.12.2.dist-info/licenses/LICENSE",
        rights=_BSD_UNSTATED,
        adjustment=adjustment,
        series=series,
        values={"date": 'CAST("Date" AS DATE)', **values},
    )


def _adjusted(titles: dict[str, str]) -> tuple[Series, ...]:
    units = "US dollars per share, dividends reinvested"
    return tuple(Series(name, title, units, Adjustment.SPLITS_AND_DIVIDENDS) for name, title in titles.items())


def _arch(
    file: str, title: str, path: str, sha256: str, source: str, series: tuple[Series, ...], columns: tuple[str, ...]
) -> Source:
    """``columns``: the CSV's, one a series."""
    values = {one.name: f'CAST("{column}" AS DOUBLE)' for one, column in zip(series, columns, strict=True)}
    return Source(
        file=file,
        title=title,
        kind="closes" if series[0].name == "VIX" else "series",
        registry="pip",
        package="arch",
        version="8.0.0",
        path=f"arch/data/{path}",
        sha256=sha256,
        licence="NCSA",
        notice="arch-8.0.0.dist-info/licenses/LICENSE.md",
        rights=_NCSA.format(source),
        adjustment="Nothing to adjust.",
        series=series,
        values={"date": 'CAST("Date" AS DATE)', **values},
        options=", dateformat = '%m/%d/%Y', nullstr = '.'",
    )


_FRED = "its documentation names the FRED database as the source"

SP500_CLOSES = _skfolio(
    "sp500_20_closes.parquet",
    "Adjusted daily closes of 20 constituents of the S&P 500, 1990 to 2022",
    "sp500_dataset.csv.gz",
    "ee21cac28befb1d0a739a9ceb22184f995394726aa0cfde9a21941d1ac04ac0d",
    "Closes adjusted for splits and dividends up to the file's end, rounded to 0.001: for returns, not for price "
    "levels. Early values are small (AAPL 0.264 on 1990-01-02), so their rounding is up to 0.4 % of a return.",
    _adjusted(_SHARES),
)
SP500_INDEX = _skfolio(
    "sp500_index_closes.parquet",
    "Daily closes of the S&P 500 index, 1990 to 2022",
    "sp500_index.csv.gz",
    "894c34431c284f86aa64a467e176e2a3c9b697c857eb9ab35006c2dd55d3fdf2",
    "Index points, nothing to adjust.",
    (Series("SPX", "S&P 500 index", "index points"),),
)
FACTOR_FUNDS = _skfolio(
    "factor_funds_closes.parquet",
    "Adjusted daily closes of five US factor funds, 2014 to 2022",
    "factors_dataset.csv.gz",
    "6eb089953db90c9a38d3283582751701a90db6f59965847fd64b0578de497161",
    "Closes adjusted for splits and dividends up to the file's end, rounded to 0.001: for returns, not for price "
    "levels.",
    _adjusted(_ETFS),
)
VIX = _arch(
    "vix_closes.parquet",
    "Daily closes of the VIX index, 2014 to 3 January 2019",
    "vix/vix.csv.gz",
    "410bd07360dc798f7206d681b8347c6150e7fbd8b05fb1ae29bbe2c9985d66ef",
    "source of prices not stated",
    (Series("VIX", "Cboe volatility index", "per cent a year"),),
    ("vix",),
)
WTI = _arch(
    "wti_daily.parquet",
    "WTI crude oil, Cushing spot, daily, 1986 to 3 January 2019",
    "wti/wti.csv.gz",
    "b83498894138a65cdc14a67fc1716aa90b3cfda274f976bd3692cc3f1500084d",
    _FRED,
    (Series("wti", "WTI crude oil, Cushing spot (FRED DCOILWTICO)", "US dollars per barrel"),),
    ("DCOILWTICO",),
)
CREDIT = _arch(
    "credit_monthly.parquet",
    "Yields of AAA and BAA corporate bonds, monthly, 1919 to 2018",
    "default/default.csv.gz",
    "cc5453068cedc7ef4836956358dce1d20eaf1e639b69c3107a7531a8e6bb982d",
    "source of the rates not stated",
    (
        Series("credit.aaa", "Yield of AAA corporate bonds", "per cent a year", frequency="monthly"),
        Series("credit.baa", "Yield of BAA corporate bonds", "per cent a year", frequency="monthly"),
    ),
    ("AAA", "BAA"),
)
FRENCH = replace(
    _arch(
        "fama_french_monthly.parquet",
        "Fama-French three factors and the risk-free rate, monthly, July 1926 to November 2018",
        "frenchdata/frenchdata.csv.gz",
        "f23436727b01d879e1372e3ee277514b0962a23d2b158f1aee6a402a90994f52",
        "its documentation names Kenneth R. French's data library as the provider",
        tuple(
            Series(name, title, "per cent a month", frequency="monthly")
            for name, title in (
                ("ff.mkt-rf", "Market return above the risk-free rate"),
                ("ff.smb", "Small minus big"),
                ("ff.hml", "High minus low book-to-market"),
                ("ff.rf", "Risk-free rate"),
            )
        ),
        ("Mkt-RF", "SMB", "HML", "RF"),
    ),
    options=", dateformat = '%Y%m', types = {'Date': 'DATE'}",  # 192607
)
CORE_CPI = _arch(
    "core_cpi_monthly.parquet",
    "US consumer prices less food and energy, monthly, 1957 to 2018",
    "core_cpi/core-cpi.csv.gz",
    "81fc912d5967ad23f4b3722a10f76867034405354b8f03f3951ebce31e5bd412",
    _FRED,
    (Series("cpi.core", "Consumer prices less food and energy (FRED CPILFESL)", "index", frequency="monthly"),),
    ("CPILFESL",),
)

_TENORS = {
    "1month": "1m",
    "3month": "3m",
    "6month": "6m",
    "1year": "1y",
    "2year": "2y",
    "3year": "3y",
    "5year": "5y",
    "7year": "7y",
    "10year": "10y",
    "20year": "20y",
    "30year": "30y",
}
TREASURY = Source(
    file="treasury_curve_daily.parquet",
    title="US Treasury par yield curve, 1 month to 30 years, daily, 1990 to 29 March 2017",
    kind="series",
    registry="pip",
    package="zipline-reloaded",
    version="3.2.1",
    path="zipline/resources/market_data/treasury_curves.csv",
    sha256="3e8e514f057011ae523e82071fcde62dfba70d37bc03c43b6c113c9eceaea4cf",
    licence="Apache-2.0",
    notice="zipline_reloaded-3.2.1.dist-info/licenses/LICENSE",
    rights=(
        "The package's Apache-2.0 licence covers the file as distributed; the rates are the US Treasury's, whose works "
        "are not subject to copyright in the United States. No separate data licence is stated."
    ),
    adjustment="Nothing to adjust.",
    series=tuple(
        Series(f"treasury.{tenor}", f"US Treasury par yield, {column}", "fraction a year")
        for column, tenor in _TENORS.items()
    ),
    values={"date": 'CAST(left("Time Period", 10) AS DATE)'}
    | {f"treasury.{tenor}": f'"{column}"' for column, tenor in _TENORS.items()},
    options=", types = {'Time Period': 'VARCHAR'}",
)

_MACRO = {
    "realgdp": ("Real gross domestic product", "billion chained 2005 dollars"),
    "realcons": ("Real personal consumption", "billion chained 2005 dollars"),
    "realinv": ("Real gross private domestic investment", "billion chained 2005 dollars"),
    "realgovt": ("Real government spending and investment", "billion chained 2005 dollars"),
    "realdpi": ("Real disposable income", "billion chained 2005 dollars"),
    "cpi": ("Consumer prices, end of quarter", "index, 1982-84 = 100"),
    "m1": ("Money stock M1, end of quarter", "billion dollars"),
    "tbilrate": ("3-month Treasury bill rate", "per cent a year"),
    "unemp": ("Unemployment rate", "per cent"),
    "pop": ("Population, end of quarter", "millions"),
    "infl": ("Inflation, 400 x log change of consumer prices", "per cent a year"),
    "realint": ("Real interest rate: bill rate less inflation", "per cent a year"),
}
MACRO = Source(
    file="us_macro_quarterly.parquet",
    title="US macroeconomic series, quarterly, 1959 Q1 to 2009 Q3",
    kind="series",
    registry="pip",
    package="statsmodels",
    version="0.15.0",
    path="statsmodels/datasets/macrodata/macrodata.csv",
    sha256="d93c0d3a7a77ef83c3af14e46032bb1d02ae3a512b22ab94159a8ca226fcf708",
    licence="Public domain",
    rights=(
        "The package states that the data set is public domain, compiled from the Federal Reserve Bank of St. Louis "
        "(FRED) and the Bureau of Labor Statistics in December 2009."
    ),
    adjustment="Seasonally adjusted where the series is; vintages of December 2009.",
    series=tuple(Series(f"macro.{k}", title, units, frequency="quarterly") for k, (title, units) in _MACRO.items()),
    values={"date": "make_date(year, 3 * quarter - 2, 1)"}
    | {f"macro.{column}": f"CAST({column} AS DOUBLE)" for column in _MACRO},
)

SERIES = (SP500_CLOSES, SP500_INDEX, FACTOR_FUNDS, VIX, WTI, CREDIT, FRENCH, CORE_CPI, TREASURY, MACRO)
