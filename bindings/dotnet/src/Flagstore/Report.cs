using System;
using System.Collections.Generic;
using System.Linq;

namespace Flagstore
{
    /// <summary>What <see cref="FlagStore.Doctor"/> found between this process and its flags.</summary>
    public sealed class Report
    {
        private Report(IDictionary<string, object> report)
        {
            Problems = (int)(long)report["problems"];
            Warnings = (int)(long)report["warnings"];
            Findings = ((List<object>)report["findings"])
                .Select(finding => new Finding((IDictionary<string, object>)finding)).ToList();
        }

        /// <summary>How many findings have the level <see cref="FindingLevel.Problem"/>: 0 where flags arrive.</summary>
        public int Problems { get; }

        /// <summary>How many have the level <see cref="FindingLevel.Warning"/>.</summary>
        public int Warnings { get; }

        /// <summary>What was looked at.</summary>
        public IReadOnlyList<Finding> Findings { get; }

        internal static Report Of(string json) => new Report((IDictionary<string, object>)Json.Read(json));
    }

    /// <summary>How bad a finding is.</summary>
    public enum FindingLevel
    {
        /// <summary>There is nothing to do.</summary>
        Ok,

        /// <summary>It is worth knowing.</summary>
        Note,

        /// <summary>It may become a problem.</summary>
        Warning,

        /// <summary>It keeps flags from arriving, or from being written.</summary>
        Problem
    }

    /// <summary>One thing that <see cref="FlagStore.Doctor"/> looked at.</summary>
    public sealed class Finding
    {
        internal Finding(IDictionary<string, object> finding)
        {
            Check = (string)finding["check"];
            Level = (FindingLevel)Enum.Parse(typeof(FindingLevel), (string)finding["level"], true);
            Found = (string)finding["found"];
            Remedy = (string)finding["remedy"];
        }

        /// <summary>What was looked at, such as <c>credentials</c>; the page docs/doctor.md of the project has them all.</summary>
        public string Check { get; }

        /// <summary>How bad it is.</summary>
        public FindingLevel Level { get; }

        /// <summary>What was seen, as a sentence that holds no secret.</summary>
        public string Found { get; }

        /// <summary>What to do about it; null where there is nothing to do.</summary>
        public string Remedy { get; }

        /// <summary>All of it in a line.</summary>
        /// <returns>such as <c>ok region: eu-west-1, by AWS_REGION</c></returns>
        public override string ToString() =>
            Level.ToString().ToLowerInvariant() + " " + Check + ": " + Found + (Remedy == null ? "" : " -> " + Remedy);
    }
}
