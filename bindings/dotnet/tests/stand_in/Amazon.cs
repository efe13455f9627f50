// Types of the AWS SDK for .NET 4 with the properties that the adapter reads, and some that it refuses. It reads them by name,
// so that these do as well as the SDK's own. Never shipped.

using System;

namespace Amazon
{
    public sealed class RegionEndpoint
    {
        public static readonly RegionEndpoint EUWest1 = new RegionEndpoint("eu-west-1");

        private RegionEndpoint(string systemName)
        {
            SystemName = systemName;
        }

        public string SystemName { get; }
    }
}

namespace Amazon.Runtime
{
    public class ImmutableCredentials
    {
        public ImmutableCredentials(string awsAccessKeyId, string awsSecretAccessKey, string token)
        {
            AccessKey = awsAccessKeyId;
            SecretKey = awsSecretAccessKey;
            Token = token ?? string.Empty;
        }

        public string AccessKey { get; }
        public string SecretKey { get; }
        public string Token { get; }
    }

    public abstract class AWSCredentials
    {
        public abstract ImmutableCredentials GetCredentials();
    }

    public class BasicAWSCredentials : AWSCredentials
    {
        private readonly ImmutableCredentials credentials;

        public BasicAWSCredentials(string accessKey, string secretKey)
        {
            credentials = new ImmutableCredentials(accessKey, secretKey, null);
        }

        public override ImmutableCredentials GetCredentials() => credentials;
    }

    public class SessionAWSCredentials : AWSCredentials
    {
        private readonly ImmutableCredentials credentials;

        public SessionAWSCredentials(string accessKey, string secretKey, string token)
        {
            credentials = new ImmutableCredentials(accessKey, secretKey, token);
        }

        public override ImmutableCredentials GetCredentials() => credentials;
    }

    public class AssumeRoleAWSCredentials : AWSCredentials
    {
        public override ImmutableCredentials GetCredentials() => throw new InvalidOperationException("asks AWS");
    }

    public sealed class Profile
    {
        public string Name { get; set; }
        public string Location { get; set; }
    }

    public interface IEndpointProvider
    {
    }

    public enum RequestRetryMode
    {
        Standard,
        Adaptive
    }
}

namespace Amazon.DynamoDBv2
{
    using Amazon.Runtime;

    public sealed class EndpointProvider : IEndpointProvider
    {
    }

    public class AmazonDynamoDBConfig
    {
        private RegionEndpoint region;
        private string url;

        public RegionEndpoint RegionEndpoint
        {
            get => url != null ? throw new InvalidOperationException("looks for a region") : region;
            set
            {
                region = value;
                url = null;
            }
        }

        public string ServiceURL
        {
            get => url;
            set => url = value;
        }

        public string AuthenticationRegion { get; set; }
        public TimeSpan? Timeout { get; set; }
        public TimeSpan? ConnectTimeout { get; set; }
        public bool UseDualstackEndpoint { get; set; }
        public bool UseFIPSEndpoint { get; set; }
        public bool UseHttp { get; set; }
        public int MaxErrorRetry { get; set; } = 10;
        public RequestRetryMode RetryMode { get; set; }
        public Profile Profile { get; set; }
        public AWSCredentials DefaultAWSCredentials { get; set; }

        // A new one for every configuration, and no value of its own.
        public IEndpointProvider EndpointProvider { get; set; } = new EndpointProvider();

        public string ProxyHost { get; set; }
        public string ServiceVersion => "2012-08-10";
    }
}
